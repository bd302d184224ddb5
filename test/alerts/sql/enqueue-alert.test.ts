import { openTestDatabase } from "../../support/test-database.ts";
import { enqueueAlertContract } from "./enqueue-alert-contract.ts";

enqueueAlertContract(openTestDatabase);
