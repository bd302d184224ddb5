import { expect, test } from "vitest";
import { countWaitingAlerts } from "../../../src/alerts/sql/alert-queue.ts";
import { readCurrentBudgets } from "../../../src/metering/sql/budget-status.ts";
import { readLedgerBacklog } from "../../../src/metering/sql/ledger-backlog.ts";
import { explainStatements } from "../../support/query-plans.ts";
import { openTestDatabase } from "../../support/test-database.ts";

test("the statements of the metrics read requests and alerts only by their indexes", async () => {
  const database = await openTestDatabase();
  const plan = await explainStatements(database, async (watched) => {
    await readLedgerBacklog(watched);
    await countWaitingAlerts(watched);
  });
  const steps = plan.filter((step) => !step.startsWith("CO-ROUTINE") && step !== "SCAN counted");
  expect(new Set(steps)).toEqual(
    new Set([
      "SEARCH requests USING COVERING INDEX requests_unsettled (state=?)",
      "SEARCH requests USING INDEX requests_unsettled (state=?)",
      "SEARCH alerts USING COVERING INDEX alerts_by_next_attempt (next_attempt_at>?)",
    ]),
  );
});

test("the current budgets are read in pages, groups first, and up to a maximum", async () => {
  const database = await openTestDatabase();
  const limits =
    '{"budgets":{"day":{"limitNanodollars":5,"mode":"hard"},"month":{"limitNanodollars":9,"mode":"soft"}}}';
  const id = (index: number): string => String(index).padStart(3, "0");
  await database.kysely
    .insertInto("key_groups")
    .values(
      Array.from({ length: 150 }, (_, index) => ({
        id: `grp_${id(index)}`,
        name: `group-${id(index)}`,
        limits: index === 0 ? "{}" : limits,
        limits_changed_at: 0,
        created_at: 0,
      })),
    )
    .execute();
  const now = Date.now();
  const all = await readCurrentBudgets(database, 1_000, now);
  expect(all.isComplete).toBe(true);
  expect(all.budgets).toHaveLength(298);
  expect(all.budgets.at(-1)).toMatchObject({ scope: "group", name: "group-149", period: "month", limit: 9 });
  const some = await readCurrentBudgets(database, 200, now);
  expect(some.isComplete).toBe(false);
  expect(some.budgets).toEqual(all.budgets.slice(0, 200));
});
