import { expect, test } from "vitest";
import { BudgetReplica, createBudgetKey } from "../support/budget-replica.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { readBudgets } from "./budgets-contract.ts";

const createKey = (limitNanodollars: number, limitsChangedAt: number) =>
  createBudgetKey({ day: { limitNanodollars, mode: "hard" } }, { limitsChangedAt });

test("a lowered limit also applies to money that requests in flight release", async () => {
  const database = await openTestDatabase();
  const replica = new BudgetReplica({ database, instance: "a", waitMs: 2_500 });
  const running = await replica.admit(createKey(1_000, 0), 900);
  const key = createKey(300, 1);
  await expect(replica.admit(key, 200)).rejects.toMatchObject({ code: "budget_reserved" });
  await running.end({ state: "settled", cost_nanodollars: 250 });
  await expect(replica.admit(key, 200)).rejects.toMatchObject({ code: "budget_exceeded" });
  await (await replica.admit(key, 50)).end({ state: "settled", cost_nanodollars: 50 });
  await replica.budgets.close();
  expect(await readBudgets(database)).toEqual([
    { budget: "key:key_1 day", spent: 300, presumed: 0, leased: 0 },
  ]);
});
