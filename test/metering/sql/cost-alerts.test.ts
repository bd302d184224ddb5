import { openTestDatabase } from "../../support/test-database.ts";
import { costAlertsContract } from "./cost-alerts-contract.ts";

costAlertsContract(openTestDatabase);
