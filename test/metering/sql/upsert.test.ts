import { openTestDatabase } from "../../support/store.ts";
import { requestWritesContract } from "./upsert-contract.ts";
import { settlementsContract } from "./settlements-contract.ts";

requestWritesContract(() => openTestDatabase());
settlementsContract(() => openTestDatabase());
