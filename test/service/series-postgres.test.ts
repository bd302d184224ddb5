import { afterAll, beforeAll } from "vitest";
import { testTimeSeries } from "../metering/sql/series-contract.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { openTestDatabase } from "../support/test-database.ts";

let postgres: Postgres;

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);

afterAll(() => postgres.close());

testTimeSeries(async () => openTestDatabase(await postgres.createDatabase()));
