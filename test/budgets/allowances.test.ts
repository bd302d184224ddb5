import { expect, test } from "vitest";
import { BudgetReplica, createBudgetKey } from "../support/budget-replica.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { waitUntil } from "../support/wait.ts";

const DAY = { day: { limitNanodollars: 1_000, mode: "hard" } } as const;

test("a client that invents end users cannot make the gateway refuse other keys", async () => {
  const { budgets } = new BudgetReplica({ database: await openTestDatabase(), instance: "a" });
  const endUsers = { source: "user", budgets: DAY };
  const hostile = createBudgetKey({}, { endUsers });
  const invent = (): void => {
    for (let count = 0; count < 60_000; count++) budgets.find(hostile, `user-${count}`);
  };
  expect(invent).toThrow(expect.objectContaining({ code: "overloaded" }));
  expect(budgets.find({ ...createBudgetKey(DAY), id: "other" }, undefined)).toBeDefined();
});

test("a changed limit of a soft budget is stored, because alerts depend on it", async () => {
  const database = await openTestDatabase();
  const { budgets } = new BudgetReplica({ database, instance: "a" });
  const admit = async (limitNanodollars: number, limitsChangedAt: number): Promise<void> => {
    const settings = { limitsChangedAt };
    const account = budgets.find(
      createBudgetKey({ total: { limitNanodollars, mode: "soft" } }, settings),
      undefined,
    );
    if (account) await budgets.admit(account, 0);
  };
  const readLimit = () =>
    database.kysely.selectFrom("budget_periods").select("limit_nanodollars").executeTakeFirst();
  await admit(1_000, 1);
  await admit(5_000, 2);
  const isStored = async (): Promise<boolean> => (await readLimit())?.limit_nanodollars === 5_000;
  await expect(waitUntil(isStored, "the new limit")).resolves.toBe(true);
});

test("a used-up soft budget notices a corrected cost while its requests are refused", async () => {
  const database = await openTestDatabase();
  const { budgets } = new BudgetReplica({ database, instance: "a" });
  const account = budgets.find(
    createBudgetKey({ total: { limitNanodollars: 1_000, mode: "soft" } }),
    undefined,
  );
  if (!account) throw new Error("the key has a budget");
  await budgets.admit(account, 0);
  const setPresumed = (presumed_nanodollars: number) =>
    database.kysely.updateTable("budget_periods").set({ presumed_nanodollars }).execute();
  const isAdmitted = (): boolean => {
    try {
      void budgets.admit(account, 0);
      return true;
    } catch {
      return false;
    }
  };
  await setPresumed(2_000);
  await waitUntil(() => !isAdmitted(), "a refusal");
  for (const { isUsed } of account.soft) expect(isUsed).toBe(true);
  await setPresumed(0);
  await waitUntil(isAdmitted, "an admission");
});

test("thousands of waiting requests are admitted without blocking other requests for long", async () => {
  const { budgets } = new BudgetReplica({
    database: await openTestDatabase(),
    instance: "a",
    waitMs: 10_000,
  });
  const account = budgets.find(
    createBudgetKey({ day: { limitNanodollars: 1_000_000, mode: "hard" } }),
    undefined,
  );
  if (!account) throw new Error("the key has a budget");
  const blocking = await budgets.admit(account, 1_000_000);
  const waiting = Array.from({ length: 10_000 }, async () => budgets.admit(account, 100));
  blocking?.cancel();
  const startedAt = performance.now();
  await Promise.all(waiting);
  expect(performance.now() - startedAt).toBeLessThan(1_500);
});
