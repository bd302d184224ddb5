import { expect, test } from "vitest";
import { writeRequests } from "../../src/metering/sql/upsert.ts";
import { BudgetReplica, createBudgetKey } from "../support/budget-replica.ts";
import { createRequestRow } from "../support/request-row.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { waitUntil } from "../support/wait.ts";

test("a budget raises an alert when 50, 80 and 100 % of it are spent, each once", async () => {
  const database = await openTestDatabase();
  const replica = new BudgetReplica({ database, instance: "a" });
  const key = createBudgetKey({ day: { limitNanodollars: 1_000, mode: "hard" } });
  const spend = async (cost: number): Promise<void> =>
    (await replica.admit(key, cost)).end({ state: "settled", cost_nanodollars: cost });
  const readPercents = async (): Promise<number[]> => {
    const alerts = await database.kysely.selectFrom("alerts").selectAll().orderBy("created_at").execute();
    return alerts
      .map(({ data }) => (JSON.parse(data) as { percent: number }).percent)
      .toSorted((a, b) => a - b);
  };
  await spend(499);
  expect(await readPercents()).toEqual([]);
  await spend(1);
  expect(await readPercents()).toEqual([50]);
  await spend(400);
  expect(await readPercents()).toEqual([50, 80]);
  await spend(100);
  expect(await readPercents()).toEqual([50, 80, 100]);
});

test("the percentages of a soft budget are those of its newest limit", async () => {
  const database = await openTestDatabase();
  const { budgets } = new BudgetReplica({ database, instance: "a" });
  const admit = async (limitNanodollars: number, limitsChangedAt: number): Promise<void> => {
    const key = createBudgetKey({ total: { limitNanodollars, mode: "soft" } }, { limitsChangedAt });
    const account = budgets.find(key, undefined);
    if (account) await budgets.admit(account, 0);
  };
  await admit(1_000, 1);
  await admit(10_000, 2);
  const readLimit = async () =>
    (await database.kysely.selectFrom("budget_periods").selectAll().executeTakeFirst())?.limit_nanodollars;
  await waitUntil(async () => (await readLimit()) === 10_000, "the new limit");
  const row = { key_id: "key_1", state: "settled", cost_nanodollars: 4_999 } as const;
  await writeRequests(database, [createRequestRow("request", row)]);
  expect(await database.kysely.selectFrom("alerts").selectAll().execute()).toEqual([]);
});
