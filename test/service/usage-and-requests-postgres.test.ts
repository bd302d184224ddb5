import { afterAll, beforeAll, onTestFinished } from "vitest";
import { type Database, openDatabase } from "../../src/store/database.ts";
import { migrationsContract } from "../store/migrations-contract.ts";
import { endUserReportContract } from "../metering/sql/end-user-report-contract.ts";
import { generationOwnerContract } from "../metering/sql/generation-owner-contract.ts";
import { testRequestPages } from "../metering/sql/export-contract.ts";
import { testRequestSearch } from "../metering/sql/request-search-contract.ts";
import { testRetention } from "../metering/sql/retention-contract.ts";
import { testUsageReport } from "../metering/sql/report-contract.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { openTestDatabase } from "../support/test-database.ts";

let postgres: Postgres;

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);

afterAll(() => postgres.close());

const open = async (): Promise<Database> => openTestDatabase(await postgres.createDatabase());

testUsageReport(open);
testRequestPages(open);
testRequestSearch(open);
endUserReportContract(open);
testRetention(open);
generationOwnerContract(open);
migrationsContract(async () => {
  const databaseUrl = await postgres.createDatabase();
  const database = openDatabase({ dataDir: "", databaseUrl }, () => {});
  onTestFinished(() => database.close());
  return database;
});
