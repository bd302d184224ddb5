import { expect, test } from "vitest";
import { BudgetReplica, createBudgetKey } from "../support/budget-replica.ts";
import { openTestDatabase } from "../support/test-database.ts";

const DAY = { day: { limitNanodollars: 1_000, mode: "hard" } } as const;

test("a client that invents end users does not exclude the requests of other keys", async () => {
  const database = await openTestDatabase();
  const replica = new BudgetReplica({ database, instance: "a" });
  const hostile = createBudgetKey({}, { endUsers: { source: "user", budgets: DAY } });
  const inventEndUsers = () => {
    for (let index = 0; index <= 50_000; index++) replica.budgets.find(hostile, `user ${index}`);
  };
  expect(inventEndUsers).toThrow(expect.objectContaining({ code: "overloaded" }));
  const admitted = await replica.admit({ ...createBudgetKey(DAY), id: "key_2" }, 10);
  await admitted.end({ state: "settled", cost_nanodollars: 10 });
});
