import { expect, test } from "vitest";
import { DAY_MS } from "../../src/durations.ts";
import { settleStatedCost } from "../../src/metering/stated-cost.ts";
import { countUnfinished } from "../../src/metering/sql/unknown-rows.ts";
import type { FindGeneration } from "../../src/metering/cost-lookup.ts";
import type { Database } from "../../src/store/database.ts";
import { NOVEMBER, insertRequests, type OpenDatabase } from "../support/ledger-rows.ts";
import { BudgetReplica, createBudgetKey } from "../support/budget-replica.ts";
import { GENERATION_RECORD, readRow } from "../support/cost-reconciler.ts";
import { collectReportedSums, readReport } from "../support/rollup-rows.ts";
import { createUnknownRow, PERIOD, runCorrection } from "../support/unknown-costs.ts";
import { readBudgets } from "../budgets/budgets-contract.ts";

const ROWS = 1_203;
const BY = { actor: "cli", source: "ann@host" };
const findEvery: FindGeneration = () => Promise.resolve(GENERATION_RECORD);

/** Returns requests, unknown requests and cost in nanodollars, by the report and by the rows. */
async function readSums(database: Database) {
  const report = await readReport(database, { ...PERIOD, to: NOVEMBER + DAY_MS, by: ["key"] });
  const [sums = []] = Object.values(collectReportedSums(report));
  const rows = await database.kysely.selectFrom("requests").selectAll().execute();
  return {
    reported: { requests: sums[0], unknown: sums[1], cost: Number(report.total.cost_nanodollars) },
    inRows: {
      requests: rows.length,
      unknown: rows.filter(({ state }) => state === "unknown").length,
      cost: rows.reduce((sum, row) => sum + (row.cost_nanodollars ?? 0), 0),
    },
  };
}

/** Admits a request of a key with a hard budget, and ends it without a cost. */
async function createUnknownInBudget(database: Database) {
  const replica = new BudgetReplica({ database, instance: "a" });
  const key = createBudgetKey({ day: { limitNanodollars: 1_000, mode: "hard" } });
  const request = await replica.admit(key, 600);
  await request.end({ state: "unknown", cost_source: "unknown", generation_id: "gen-1" });
  await replica.budgets.close();
  const { id, started_at } = await database.kysely
    .selectFrom("requests")
    .selectAll()
    .executeTakeFirstOrThrow();
  // The ids of this fixture do not begin with a time.
  const timed = createUnknownRow(1).id;
  await database.kysely.updateTable("requests").set({ id: timed }).where("id", "=", id).execute();
  return { id: timed, started_at };
}

/** Tests of the correction of unknown costs, for every database. @param open returns an empty database. */
export function unknownCostsContract(open: OpenDatabase): void {
  test("corrects all rows of the period, and two corrections at once correct each row once", async () => {
    const database = await open();
    const rows = Array.from({ length: ROWS }, (_, number) => createUnknownRow(number));
    await insertRequests(database, [...rows, createUnknownRow(DAY_MS + 5)]);
    expect((await readSums(database)).reported).toEqual({ requests: ROWS, unknown: ROWS, cost: 0 });
    const runs = await Promise.all([
      runCorrection({ database, findGeneration: findEvery }),
      runCorrection({ database, findGeneration: findEvery }),
    ]);
    const [a, b] = runs.map(({ summary }) => summary);
    expect((a?.corrected ?? 0) + (b?.corrected ?? 0)).toBe(ROWS);
    expect(runs.map(({ end }) => end)).toEqual([
      { isInterrupted: false, error: undefined },
      { isInterrupted: false, error: undefined },
    ]);
    const { reported, inRows } = await readSums(database);
    expect(reported).toEqual({ requests: ROWS, unknown: 0, cost: 7 * ROWS });
    expect(inRows).toEqual({ requests: ROWS + 1, unknown: 1, cost: 7 * ROWS });
  }, 60_000);

  test("moves the amount in budgets once when two corrections run at once", async () => {
    const database = await open();
    await createUnknownInBudget(database);
    expect(await readBudgets(database)).toMatchObject([{ spent: 0, presumed: 600, leased: 0 }]);
    const options = { database, findGeneration: findEvery };
    const [a, b] = await Promise.all([runCorrection(options), runCorrection(options)]);
    expect(a.summary.corrected + b.summary.corrected).toBe(1);
    expect(await readBudgets(database)).toMatchObject([{ spent: 7, presumed: 0, leased: 0 }]);
  });

  test("raises the alert for a corrected cost above its reservation once, and only if the row changed", async () => {
    const database = await open();
    await insertRequests(database, [
      createUnknownRow(1, { reserved_nanodollars: 6, reserved_in: "key:day" }),
      createUnknownRow(2, { reserved_nanodollars: 7, reserved_in: "key:day" }),
      createUnknownRow(3),
    ]);
    const readCostAlerts = () =>
      database.kysely.selectFrom("alerts").selectAll().where("type", "=", "cost_above_reservation").execute();
    await runCorrection({ database, findGeneration: findEvery, isDryRun: true });
    expect(await readCostAlerts()).toEqual([]);
    const options = { database, findGeneration: findEvery };
    const [a, b] = await Promise.all([runCorrection(options), runCorrection(options)]);
    expect(a.summary.aboveReservation + b.summary.aboveReservation).toBe(1);
    const alerts = await readCostAlerts();
    expect(alerts).toMatchObject([{ id: `cost_above_reservation:${createUnknownRow(1).id}` }]);
    expect(JSON.parse(alerts[0]?.data ?? "")).toMatchObject({
      reserved_usd: "0.000000006",
      cost_usd: "0.000000007",
    });
  });

  test("leaves rows unknown that OpenRouter does not know and rows without a generation id", async () => {
    const database = await open();
    await insertRequests(database, [
      createUnknownRow(1),
      createUnknownRow(2, { reserved_nanodollars: 500, reserved_in: "key:day" }),
      createUnknownRow(3, { generation_id: null, reserved_nanodollars: 40, reserved_in: "key:day" }),
      createUnknownRow(4, { state: "pending", settle_at: 0 }),
      createUnknownRow(5, { state: "open" }),
    ]);
    const { summary } = await runCorrection({
      database,
      findGeneration: (id) => Promise.resolve(id === "gen-1" ? GENERATION_RECORD : undefined),
    });
    expect(summary).toMatchObject({ found: 3, corrected: 1, correctedNanodollars: 7n, stillUnknown: 2 });
    expect(Object.fromEntries(summary.remaining)).toEqual({
      not_found: { requests: 1, reservedNanodollars: 500n },
      no_generation_id: { requests: 1, reservedNanodollars: 40n },
    });
    expect(summary.keys.get("a")).toEqual({
      corrected: 1,
      correctedNanodollars: 7n,
      remaining: 2,
      reservedNanodollars: 540n,
    });
    expect(await countUnfinished(database, PERIOD)).toEqual({ open: 1, pending: 1 });
    expect(await readRow(database, createUnknownRow(2).id)).toMatchObject({ state: "unknown" });
  });

  test("a dry run changes nothing", async () => {
    const database = await open();
    await insertRequests(database, [createUnknownRow(1)]);
    const before = await readSums(database);
    const { summary } = await runCorrection({ database, findGeneration: findEvery, isDryRun: true });
    expect(summary).toMatchObject({ corrected: 1, correctedNanodollars: 7n });
    expect(await readSums(database)).toEqual(before);
    expect(await readRow(database, createUnknownRow(1).id)).toEqual(createUnknownRow(1));
  });

  test("settles a row with the cost that an operator states, and audits it", async () => {
    const database = await open();
    const { id } = await createUnknownInBudget(database);
    const stated = { id, costNanodollars: 250, reason: "activity page", by: BY };
    expect(await settleStatedCost(database, { ...stated, id: "absent" })).toBeUndefined();
    const results = await Promise.all([
      settleStatedCost(database, stated),
      settleStatedCost(database, stated),
    ]);
    expect(results).toContainEqual({ state: "settled" });
    expect(await readRow(database, id)).toMatchObject({
      state: "settled",
      cost_nanodollars: 250,
      cost_source: "operator",
    });
    expect(await readBudgets(database)).toMatchObject([{ spent: 250, presumed: 0 }]);
    const audit = await database.kysely.selectFrom("audit").selectAll().execute();
    expect(audit).toMatchObject([{ action: "state_cost", key_id: "key_1", ...BY }]);
    expect(JSON.parse(audit[0]?.details ?? "")).toEqual({
      row: id,
      cost_usd: "0.000000250",
      reason: "activity page",
    });
  });
}
