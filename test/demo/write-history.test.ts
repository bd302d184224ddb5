import { expect, onTestFinished, test } from "vitest";
import { writeHistory } from "../../src/demo/write-history.ts";
import { readModelFacts } from "../../src/demo/model-facts.ts";
import { DAY_MS } from "../../src/durations.ts";
import { KeyService } from "../../src/keys/key-service.ts";
import { readKeyBudgets } from "../../src/metering/sql/budget-status.ts";
import { SUMS, toSums } from "../../src/metering/record.ts";
import { type Database, openDatabase } from "../../src/store/database.ts";
import { readReport, listSums } from "../support/rollup-rows.ts";
import { startTestSimulator } from "../support/simulator.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";

/** Wednesday, 18 November 2026, 15:00 UTC. */
const NOW = Date.UTC(2026, 10, 18, 15);

/** Writes the history of a demo that starts at `NOW`. @returns its database. */
async function openHistory(): Promise<Database> {
  const simulator = await startTestSimulator();
  const dataDir = createTemporaryDirectory();
  await writeHistory(dataDir, await readModelFacts(simulator.baseUrl), NOW);
  const database = openDatabase({ dataDir, databaseUrl: undefined }, () => {});
  onTestFinished(() => database.close());
  return database;
}

test("the history of the demo has a week of rows, whose sums are those of the reports", async () => {
  const database = await openHistory();
  const rows = await database.kysely.selectFrom("requests").selectAll().execute();
  expect(rows.length).toBeGreaterThan(3_000);
  expect(Math.min(...rows.map(({ started_at }) => started_at))).toBeGreaterThan(NOW - 7 * DAY_MS);
  expect(Math.max(...rows.map(({ ended_at }) => ended_at ?? 0))).toBeLessThan(NOW);
  const report = await readReport(database, { from: NOW - 8 * DAY_MS, to: NOW + DAY_MS, by: ["key"] });
  const sums = rows.map(toSums);
  expect(listSums(report.total)).toEqual(SUMS.map((name) => sums.reduce((sum, one) => sum + one[name], 0)));
  const outcomes = new Set(rows.map(({ outcome }) => outcome));
  expect(outcomes).toEqual(new Set(["complete", "client_gone", "upstream_error", "interrupted"]));
  expect(rows.filter(({ state }) => state === "unknown").length).toBeGreaterThan(0);
});

test("the demo has a budget that is nearly exhausted, a blocked key and a disabled key", async () => {
  const database = await openHistory();
  const keys = new KeyService(database, () => NOW);
  const [total] = await readKeyBudgets(database, await keys.get("research-notebook"), NOW);
  const used = (total?.spent ?? 0) / (total?.limit ?? 1);
  expect(used).toBeGreaterThan(0.9);
  expect(used).toBeLessThan(1);
  expect((await keys.get("nightly-reports")).blockedUntil).toBeGreaterThan(NOW);
  expect((await keys.get("contractor-2025")).disabled).toBe(true);
});

test("the same start time gives the same requests", async () => {
  const read = async (): Promise<unknown[]> =>
    (await openHistory()).kysely
      .selectFrom("requests")
      .select(["id", "forwarded_model", "status", "cost_nanodollars", "end_user"])
      .orderBy("id")
      .execute();
  expect(await read()).toEqual(await read());
});
