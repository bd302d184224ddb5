import { openTestDatabase } from "../support/test-database.ts";
import { deadLeasesContract } from "./dead-leases-contract.ts";

deadLeasesContract(() => openTestDatabase());
