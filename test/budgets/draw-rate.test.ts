import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { BudgetAdmission } from "../../src/budgets/budget-admission.ts";
import { SqlBudgetStore } from "../../src/budgets/sql/sql-budget-store.ts";
import { createBudgetKey } from "../support/budget-replica.ts";
import { openTestDatabase } from "../support/test-database.ts";

/** Counts the draws of money. */
class CountingStore extends SqlBudgetStore {
  draws = 0;

  override async draw(...draws: Parameters<SqlBudgetStore["draw"]>): ReturnType<SqlBudgetStore["draw"]> {
    this.draws++;
    return super.draw(...draws);
  }
}

async function start(waitMs: number) {
  const store = new CountingStore({
    database: await openTestDatabase(),
    databaseUrl: undefined,
    instance: "a",
    readSpent: () => Promise.resolve(0),
    countReplicas: () => Promise.resolve(1),
  });
  const budgets = new BudgetAdmission({ store, waitMs, onFailure: () => {} });
  onTestFinished(async () => void (await budgets.close()));
  const key = createBudgetKey({ total: { limitNanodollars: 1_000, mode: "hard" } });
  const admit = async (worstCase: number) => {
    const account = budgets.find(key, undefined);
    const reservation = account && (await budgets.admit(account, worstCase));
    if (!reservation) throw new Error("the key has no hard budget");
    return reservation;
  };
  return { store, admit };
}

test("requests that end do not each cause a draw while another request waits for money", async () => {
  const { store, admit } = await start(400);
  const running = await Promise.all(Array.from({ length: 100 }, () => admit(10)));
  const refusal = admit(1_000).catch((error: unknown) => error);
  const before = store.draws;
  for (const reservation of running.slice(0, 99)) {
    reservation.cancel();
    await sleep(2);
  }
  expect(await refusal).toMatchObject({ code: "budget_reserved" });
  expect(store.draws - before).toBeLessThan(20);
});

test("money of a request that ends goes to a waiting request without a draw", async () => {
  const { store, admit } = await start(2_000);
  const running = await admit(1_000);
  const waiting = admit(1_000);
  await sleep(10);
  const before = store.draws;
  running.cancel();
  const { nanodollars } = await waiting;
  expect([nanodollars, store.draws - before]).toEqual([1_000, 0]);
});

test("near a limit, requests that fit in the lease do not each cause a refill", async () => {
  const { store, admit } = await start(400);
  // The lease holds the whole budget, so every refill gets nothing.
  const whole = await admit(1_000);
  whole.cancel();
  const before = store.draws;
  for (let count = 0; count < 20; count++) {
    await admit(50);
    await sleep(5);
  }
  expect(store.draws - before).toBeLessThanOrEqual(2);
});
