import { afterAll, beforeAll } from "vitest";
import { groupServiceContract } from "../keys/group-service-contract.ts";
import { keyAuditContract } from "../keys/key-audit-contract.ts";
import { keyServiceContract } from "../keys/key-service-contract.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { openTestDatabase } from "../support/test-database.ts";

let postgres: Postgres;

beforeAll(async () => {
  postgres = await startPostgres();
}, 30_000);

afterAll(() => postgres.close());

const open = async () => openTestDatabase(await postgres.createDatabase());
keyServiceContract(open);
keyAuditContract(open);
groupServiceContract(open);
