import { expect, test } from "vitest";
import { listAlerts } from "../../../src/alerts/sql/list-alerts.ts";
import { explainStatements } from "../../support/query-plans.ts";
import { openTestDatabase } from "../../support/test-database.ts";
import { listAlertsContract } from "./list-alerts-contract.ts";

listAlertsContract(openTestDatabase);

test("a page of alerts is read by the index of their times", async () => {
  const database = await openTestDatabase();
  const plans = await explainStatements(database, (watched) =>
    listAlerts(watched, { limit: 10, before: "x" }),
  );
  expect(plans.join("\n")).toMatch(/SEARCH alerts USING INDEX alerts_by_creation \(created_at<\?\)/);
});
