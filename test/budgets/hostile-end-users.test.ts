import { expect, onTestFinished, test } from "vitest";
import { BudgetAdmission } from "../../src/budgets/budget-admission.ts";
import { SqlBudgetStore } from "../../src/budgets/sql/sql-budget-store.ts";
import { createBudgetKey } from "../support/budget-replica.ts";
import { openTestDatabase } from "../support/test-database.ts";

const DAY = { day: { limitNanodollars: 1_000, mode: "hard" } } as const;

/** Counts the draws of money. */
class CountingStore extends SqlBudgetStore {
  draws = 0;

  override async draw(...draws: Parameters<SqlBudgetStore["draw"]>): ReturnType<SqlBudgetStore["draw"]> {
    this.draws++;
    return super.draw(...draws);
  }
}

async function start() {
  const store = new CountingStore({
    database: await openTestDatabase(),
    databaseUrl: undefined,
    instance: "a",
    readSpent: () => Promise.resolve(0),
    countReplicas: () => Promise.resolve(1),
  });
  const budgets = new BudgetAdmission({ store, waitMs: 200, onFailure: () => {} });
  onTestFinished(async () => void (await budgets.close()));
  return { store, budgets };
}

test("invented end users without budgets of their own wait for money together", async () => {
  const { store, budgets } = await start();
  const key = createBudgetKey(DAY, { endUsers: { source: "user", budgets: {} } });
  const admit = async (endUser: string) => {
    const account = budgets.find(key, endUser);
    return account && (await budgets.admit(account, 700));
  };
  await admit("first");
  const before = store.draws;
  const waiting = await Promise.allSettled(
    Array.from({ length: 300 }, async (_, index) => admit(`user-${index}`)),
  );
  expect(waiting.every(({ status }) => status === "rejected")).toBe(true);
  // Waiting requests try to draw money every 50 ms, whatever their number.
  expect(store.draws - before).toBeLessThan(20);
});

test("invented end users of one key keep neither other keys nor their end users from their budgets", async () => {
  const { budgets } = await start();
  const endUsers = { source: "user", budgets: DAY };
  const hostile = createBudgetKey(DAY, { endUsers });
  const create = () => {
    for (let index = 0; index < 60_000; index++) budgets.find(hostile, `invented-${index}`);
  };
  expect(create).toThrow(expect.objectContaining({ code: "overloaded" }) as Error);
  expect(budgets.find({ ...hostile, id: "key_2" }, undefined)).toBeDefined();
  expect(budgets.find({ ...hostile, id: "key_3" }, "bob")).toBeDefined();
  expect(() => budgets.find(hostile, "bob")).toThrow("end users");
  expect(budgets.find(hostile, undefined)).toBeDefined();
});
