import { afterAll, beforeAll, expect, test } from "vitest";
import { BudgetReplica, createBudgetKey } from "../support/budget-replica.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { budgetsContract, readBudgets } from "../budgets/budgets-contract.ts";

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.close());

budgetsContract(async () => openTestDatabase(await postgres.createDatabase()));

const DAY_LIMIT = createBudgetKey({ day: { limitNanodollars: 1_000, mode: "hard" } });

test("two replicas share a budget, and idle money of one of them is available to the other", async () => {
  const databaseUrl = await postgres.createDatabase();
  const database = await openTestDatabase(databaseUrl);
  const [a, b] = [
    new BudgetReplica({ database, databaseUrl, instance: "a", replicas: 2, waitMs: 2_500 }),
    new BudgetReplica({ database, databaseUrl, instance: "b", replicas: 2, waitMs: 2_500 }),
  ];
  const costs = await Promise.all(
    Array.from({ length: 40 }, async (_, index): Promise<number> => {
      const replica = index % 2 === 0 ? a : b;
      try {
        const request = await replica.admit(DAY_LIMIT, 100);
        await request.end({ state: "settled", cost_nanodollars: 50 });
        return 50;
      } catch {
        return 0;
      }
    }),
  );
  await a.budgets.close();
  await b.budgets.close();
  const spent = costs.reduce((sum, cost) => sum + cost, 0);
  expect(spent).toBe(950);
  expect(await readBudgets(database)).toEqual([{ budget: "key:key_1 day", spent, presumed: 0, leased: 0 }]);
});
