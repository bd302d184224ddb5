import { afterAll, beforeAll } from "vitest";
import { requestWritesContract } from "../metering/sql/upsert-contract.ts";
import { schemaContract } from "../metering/sql/schema-contract.ts";
import { settlementsContract } from "../metering/sql/settlements-contract.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { openTestDatabase } from "../support/test-database.ts";

let postgres: Postgres;

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);

afterAll(() => postgres.close());

const open = async () => openTestDatabase(await postgres.createDatabase());
requestWritesContract(open);
settlementsContract(open);
schemaContract(open);
