import { openTestDatabase } from "../support/test-database.ts";
import { budgetsContract } from "./budgets-contract.ts";

budgetsContract(openTestDatabase);
