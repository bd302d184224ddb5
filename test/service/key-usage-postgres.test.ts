import { afterAll, beforeAll } from "vitest";
import { budgetStatusContract } from "../metering/sql/budget-status-contract.ts";
import { keyUsageContract } from "../metering/sql/key-usage-contract.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { openTestDatabase } from "../support/test-database.ts";

let postgres: Postgres;

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);

afterAll(() => postgres.close());

const open = async () => openTestDatabase(await postgres.createDatabase());
keyUsageContract(open);
budgetStatusContract(open);
