import { openTestDatabase } from "../../support/test-database.ts";
import { requestWritesContract } from "./upsert-contract.ts";
import { schemaContract } from "./schema-contract.ts";
import { settlementsContract } from "./settlements-contract.ts";

requestWritesContract(() => openTestDatabase());
settlementsContract(() => openTestDatabase());
schemaContract(() => openTestDatabase());
