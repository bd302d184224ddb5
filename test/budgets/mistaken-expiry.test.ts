import { openTestDatabase } from "../support/test-database.ts";
import { mistakenExpiryContract } from "./mistaken-expiry-contract.ts";

mistakenExpiryContract(openTestDatabase);
