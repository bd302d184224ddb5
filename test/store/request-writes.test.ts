import { openTestDatabase } from "../support/store.ts";
import { requestWritesContract } from "./request-writes-contract.ts";
import { settlementsContract } from "./settlements-contract.ts";

requestWritesContract(() => openTestDatabase());
settlementsContract(() => openTestDatabase());
