import { openTestDatabase } from "../support/test-database.ts";
import { keyAuditContract } from "./key-audit-contract.ts";
import { keyServiceContract } from "./key-service-contract.ts";

keyServiceContract(() => openTestDatabase());
keyAuditContract(() => openTestDatabase());
