import { afterAll, beforeAll } from "vitest";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { deadLeasesContract } from "../metering/dead-leases-contract.ts";

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 30_000);
afterAll(() => postgres.close());

deadLeasesContract(async () => openTestDatabase(await postgres.createDatabase()));
