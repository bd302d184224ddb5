import { openTestDatabase } from "../../support/test-database.ts";
import { testTimeSeries } from "./series-contract.ts";

testTimeSeries(openTestDatabase);
