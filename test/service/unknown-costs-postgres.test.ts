import { afterAll, beforeAll } from "vitest";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { unknownCostsContract } from "../metering/unknown-costs-contract.ts";

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 30_000);
afterAll(() => postgres.close());

unknownCostsContract(async () => openTestDatabase(await postgres.createDatabase()));
