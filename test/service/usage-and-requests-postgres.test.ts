import { afterAll, beforeAll } from "vitest";
import type { Database } from "../../src/store/database.ts";
import { testRequestPages } from "../store/request-pages-contract.ts";
import { testRetention } from "../store/retention-contract.ts";
import { testUsageReport } from "../store/usage-report-contract.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { openTestDatabase } from "../support/store.ts";

let postgres: Postgres;

beforeAll(async () => {
  postgres = await startPostgres();
}, 30_000);

afterAll(() => postgres.close());

const open = async (): Promise<Database> => openTestDatabase(await postgres.createDatabase());

testUsageReport(open);
testRequestPages(open);
testRetention(open);
