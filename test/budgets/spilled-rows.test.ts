import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { BudgetProcess, endRequest } from "../support/budget-process.ts";
import { createBudgetKey } from "../support/budget-replica.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { waitUntil } from "../support/wait.ts";
import { readBudgets } from "./budgets-contract.ts";

const KEY = createBudgetKey({ day: { limitNanodollars: 1_000, mode: "hard" } });
const NO_BUDGET = { leased: 0, spent: 0 };

/** Starts a process whose request has ended while the recorder could not reach the database. */
async function startWithSpilledRow() {
  const database = await openTestDatabase();
  const process = new BudgetProcess({
    database,
    databaseUrl: undefined,
    dataDir: createTemporaryDirectory(),
    replicas: 1,
    waitMs: 300,
    now: () => Date.now(),
  });
  for (let count = 0; count < 10; count++) (await process.reserve(KEY, 100)).cancel();
  const context = await process.begin(KEY, await process.reserve(KEY, 100), { id: "req-1" });
  process.recorderDatabase.isCut = true;
  endRequest(context, 100);
  await waitUntil(() => !process.recorder.isHealthy, "the row to be spilled");
  const read = async () => (await readBudgets(database))[0] ?? NO_BUDGET;
  return { process, read };
}

test("a lease that is read again contains no money of rows that wait in the journal", async () => {
  const { process, read } = await startWithSpilledRow();
  process.budgetDatabase.faults.push("before");
  await process.reserve(KEY, 900).catch(() => {});
  // Within this time, the process would read its lease again, because the outcome of the draw is uncertain.
  await setTimeout(1_500);
  process.recorderDatabase.isCut = false;
  await waitUntil(async () => (await read()).spent === 100, "the row to be replayed");
  process.budgetDatabase.isCut = true;
  const isReserved = (): Promise<boolean> =>
    process.reserve(KEY, 10).then(
      () => true,
      () => false,
    );
  let held = 0;
  while (await isReserved()) held += 10;
  expect(held).toBeLessThanOrEqual((await read()).leased);
});

test("a process that shuts down keeps the money of rows that wait in the journal", async () => {
  const { process, read } = await startWithSpilledRow();
  await process.close();
  const { leased, spent } = await read();
  expect(leased + spent).toBeGreaterThanOrEqual(100);
});
