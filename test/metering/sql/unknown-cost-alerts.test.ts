import { openTestDatabase } from "../../support/test-database.ts";
import { unknownCostAlertsContract } from "./unknown-cost-alerts-contract.ts";

unknownCostAlertsContract(openTestDatabase);
