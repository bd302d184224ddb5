import { expect, test } from "vitest";
import { BudgetReplica, createBudgetKey } from "../support/budget-replica.ts";
import { openTestDatabase } from "../support/test-database.ts";

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
