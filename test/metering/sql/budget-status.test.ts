import { openTestDatabase } from "../../support/test-database.ts";
import { budgetStatusContract } from "./budget-status-contract.ts";

budgetStatusContract(() => openTestDatabase());
