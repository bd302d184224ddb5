import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { BudgetAdmission } from "../../src/budgets/budget-admission.ts";
import { SqlBudgetStore } from "../../src/budgets/sql/sql-budget-store.ts";
import { readSpent } from "../../src/metering/sql/budget-changes.ts";
import { BudgetProcess, copyJournal, endRequest } from "../support/budget-process.ts";
import { createBudgetKey } from "../support/budget-replica.ts";
import { FaultyDatabase } from "../support/faulty-database.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { waitUntil } from "../support/wait.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { replayJournals } from "./model/other-process.ts";
import { readBudgets } from "./budgets-contract.ts";

const KEY = createBudgetKey({ day: { limitNanodollars: 1_000, mode: "hard" } });

async function startAdmission() {
  const database = await openTestDatabase();
  const faulty = new FaultyDatabase(database);
  const store = new SqlBudgetStore({
    database: faulty.database,
    databaseUrl: undefined,
    instance: "a",
    readSpent,
    countReplicas: () => Promise.resolve(1),
  });
  const budgets = new BudgetAdmission({ store, waitMs: 300, onFailure: () => {} });
  const account = budgets.find(KEY, undefined);
  if (!account) throw new Error("the key has a budget");
  return { database, faulty, store, budgets, account };
}

const readLeased = async (database: Parameters<typeof readBudgets>[0]): Promise<number | undefined> =>
  (await readBudgets(database))[0]?.leased;

test("a process that shuts down returns money whose draw was committed without a reply", async () => {
  const { database, faulty, budgets, account } = await startAdmission();
  (await budgets.admit(account, 10))?.cancel();
  faulty.faults.push("after");
  await expect(budgets.admit(account, 500)).rejects.toMatchObject({ code: "store_unavailable" });
  expect(await readLeased(database)).toBeGreaterThanOrEqual(500);
  await budgets.close();
  expect(await readLeased(database)).toBe(0);
});

test("a process that shuts down returns the money of a refill in progress", async () => {
  const { database, budgets, account } = await startAdmission();
  (await budgets.admit(account, 10))?.cancel();
  // The idle money is now lower than what the last second has used, so this admission begins a refill.
  (await budgets.admit(account, 60))?.cancel();
  await budgets.close();
  expect(await readLeased(database)).toBe(0);
});

test("a lease with a lost reply is corrected although requests hold money", async () => {
  const { database, faulty, budgets, account } = await startAdmission();
  const running = await budgets.admit(account, 10);
  faulty.faults.push("after");
  await expect(budgets.admit(account, 500)).rejects.toMatchObject({ code: "store_unavailable" });
  await waitUntil(async () => ((await readLeased(database)) ?? 0) < 500, "the idle money to be returned");
  const next = await budgets.admit(account, 900);
  next?.cancel();
  running?.cancel();
  await budgets.close();
});

test("another process returns the money of a process that could not do so when it shut down", async () => {
  const database = await openTestDatabase();
  const [dataDir, dead] = [createTemporaryDirectory(), createTemporaryDirectory()];
  const settings = { database, databaseUrl: undefined, replicas: 1, waitMs: 300, now: () => Date.now() };
  const process = new BudgetProcess({ ...settings, dataDir });
  (await process.reserve(KEY, 500)).cancel();
  process.budgetDatabase.isCut = true;
  expect(await process.close()).toBe(false);
  expect(readdirSync(`${dataDir}/journal`)).toEqual([`${process.instance}.lock`]);
  copyJournal([], dead, process.instance);
  await replayJournals(database, dead);
  expect(await readLeased(database)).toBe(0);
});

test("a lease that is read again keeps the money of rows that wait in the journal", async () => {
  const database = await openTestDatabase();
  const dataDir = createTemporaryDirectory();
  const settings = { database, databaseUrl: undefined, replicas: 1, waitMs: 300, now: () => Date.now() };
  const process = new BudgetProcess({ ...settings, dataDir });
  const context = await process.begin(KEY, await process.reserve(KEY, 600), { id: "r-1" });
  process.recorderDatabase.isCut = true;
  endRequest(context, 600);
  await waitUntil(() => !process.recorder.isHealthy, "the row to be spilled");
  process.budgetDatabase.faults.push("before");
  await expect(process.reserve(KEY, 500)).rejects.toMatchObject({ code: "store_unavailable" });
  // The keeper of leases reads the lease again within a second.
  await sleep(1_200);
  await expect(process.reserve(KEY, 500)).rejects.toMatchObject({ code: "budget_reserved" });
  process.recorderDatabase.isCut = false;
  await waitUntil(() => process.recorder.isHealthy, "the row to be written");
  await expect(process.reserve(KEY, 500)).rejects.toMatchObject({ code: "budget_exceeded" });
  (await process.reserve(KEY, 400)).cancel();
  expect(await process.close()).toBe(true);
  expect(await readBudgets(database)).toEqual([
    { budget: "key:key_1 day", spent: 600, presumed: 0, leased: 0 },
  ]);
});
