import { openTestDatabase } from "../support/test-database.ts";
import { groupServiceContract } from "./group-service-contract.ts";
import { keyAuditContract } from "./key-audit-contract.ts";
import { keyServiceContract } from "./key-service-contract.ts";

keyServiceContract(() => openTestDatabase());
keyAuditContract(() => openTestDatabase());
groupServiceContract(() => openTestDatabase());
