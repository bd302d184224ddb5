import { afterAll, beforeAll } from "vitest";
import { modelContract } from "../budgets/model-contract.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.close());

modelContract(() => postgres.createDatabase());
