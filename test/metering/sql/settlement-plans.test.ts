import { expect, test } from "vitest";
import { adoptOrphans } from "../../../src/metering/sql/instances.ts";
import { claimDue, makeMisdatedDue } from "../../../src/metering/sql/settlements.ts";
import { openTestDatabase } from "../../support/test-database.ts";
import { explainStatements } from "../../support/query-plans.ts";

test("finds unfinished rows by their partial index, without a full scan of the ledger", async () => {
  const database = await openTestDatabase();
  const plans = await explainStatements(database, async (watched) => {
    await claimDue(watched, 10);
    await makeMisdatedDue(watched, 1_000);
    await adoptOrphans(watched, { deadAfterMs: 1_000, lostAfterMs: 1_000 });
  });
  const steps = plans.filter((step) => /\brequests\b/.test(step));
  expect(steps.filter((step) => step.includes("requests_unfinished")).length).toBeGreaterThanOrEqual(4);
  expect(steps.filter((step) => step.startsWith("SCAN") && !step.includes("requests_unfinished"))).toEqual(
    [],
  );
});
