import { openTestDatabase } from "../../support/test-database.ts";
import { keyUsageContract } from "./key-usage-contract.ts";

keyUsageContract(() => openTestDatabase());
