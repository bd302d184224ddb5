import { openTestDatabase } from "../../support/store.ts";
import { keyUsageContract } from "./key-usage-contract.ts";

keyUsageContract(() => openTestDatabase());
