import { expect, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import type { Database } from "../../src/store/database.ts";
import { writeRequests } from "../../src/metering/sql/upsert.ts";
import { type FindGeneration, LookupRefused } from "../../src/metering/cost-lookup.ts";
import {
  makeAllDue,
  createPendingRow,
  GENERATION_RECORD,
  readRow,
  startReconciler,
} from "../support/cost-reconciler.ts";

const SECOND_MS = 1_000;
const rows = (count: number) => Array.from({ length: count }, (_, index) => createPendingRow(String(index)));

/** A reconciler with many rows, an upstream that can fail, and a monotonic clock that the test moves. */
async function start(count: number, createError: () => Error) {
  const upstream = { isFailing: true, lookups: 0 };
  const clock = { now: 0 };
  const findGeneration: FindGeneration = () => {
    upstream.lookups++;
    return upstream.isFailing ? Promise.reject(createError()) : Promise.resolve(GENERATION_RECORD);
  };
  const started = await startReconciler(findGeneration, { now: () => clock.now });
  await writeRequests(started.database, rows(count));
  /** Runs a round every second. @returns the number of lookups in each round. */
  const run = async (seconds: number): Promise<number[]> => {
    const counts: number[] = [];
    for (let second = 0; second < seconds; second++) {
      const before = upstream.lookups;
      await makeAllDue(started.database);
      await started.reconciler.reconcileDue();
      counts.push(upstream.lookups - before);
      clock.now += SECOND_MS;
    }
    return counts;
  };
  return { ...started, upstream, clock, run };
}

const countSettled = async ({ kysely }: Database): Promise<number> =>
  (await kysely.selectFrom("requests").select("id").where("state", "=", "settled").execute()).length;

test.each([
  ["429", () => new LookupRefused(429, {})],
  ["500", () => new LookupRefused(500, {})],
  ["529", () => new LookupRefused(529, {})],
  ["401", () => new LookupRefused(401, {})],
  ["307", () => new LookupRefused(307, {})],
  ["a network failure", () => new GatewayError("upstream_unreachable", "no")],
  ["a timeout", () => new GatewayError("upstream_timeout", "no")],
])(
  "after %s, the reconciler sends one lookup after each pause, and doubles the pause each time",
  async (_, error) => {
    const { database, run, upstream } = await start(100, error);
    const lookups = await run(64);
    expect(lookups[0]).toBeLessThanOrEqual(8);
    const probes = lookups.flatMap((count, second) => (second > 0 && count > 0 ? [[second, count]] : []));
    expect(probes).toEqual([1, 3, 7, 15, 31, 63].map((second) => [second, 1]));
    upstream.isFailing = false;
    await run(64);
    expect(await countSettled(database)).toBe(100);
  },
);

test("obeys Retry-After for all rows, then probes with one row", async () => {
  const { run, upstream } = await start(100, () => new LookupRefused(429, { "retry-after": "30" }));
  const lookups = await run(31);
  expect(lookups.slice(1)).toEqual([...Array(29).fill(0), 1]);
  upstream.isFailing = false;
  expect((await run(30)).slice(0, 29)).toEqual(Array(29).fill(0));
  expect(upstream.lookups).toBe((lookups[0] ?? 0) + 1 + 100);
});

test("does not end a pause when lookups succeed that were in flight when the pause began", async () => {
  let lookups = 0;
  const clock = { now: 0 };
  const { database, reconciler } = await startReconciler(
    () => (++lookups === 1 ? Promise.reject(new LookupRefused(503, {})) : Promise.resolve(GENERATION_RECORD)),
    { now: () => clock.now },
  );
  await writeRequests(database, rows(20));
  await reconciler.reconcileDue();
  expect(lookups).toBe(8);
  clock.now += 999;
  await makeAllDue(database);
  await reconciler.reconcileDue();
  expect(lookups).toBe(8);
  clock.now += 1;
  await reconciler.reconcileDue();
  expect(await countSettled(database)).toBe(20);
});

test("runs at most eight lookups at once", async () => {
  let open = 0;
  let mostOpen = 0;
  const { database, reconciler } = await startReconciler(async () => {
    mostOpen = Math.max(mostOpen, ++open);
    await new Promise((resolve) => void setImmediate(resolve));
    open--;
    return GENERATION_RECORD;
  });
  await writeRequests(database, rows(100));
  await reconciler.reconcileDue();
  expect([mostOpen, await countSettled(database)]).toEqual([8, 100]);
});

test("backs off only the lookups of a row whose generation record is invalid", async () => {
  const bad = new GatewayError("upstream_bad_response", "another generation's record");
  const { database, reconciler } = await startReconciler((id) =>
    id === "gen-bad" ? Promise.reject(bad) : Promise.resolve(GENERATION_RECORD),
  );
  await writeRequests(database, [
    createPendingRow("bad", { ended_at: Date.now() - 60_000, settle_at: 1 }),
    ...rows(50),
  ]);
  await reconciler.reconcileDue();
  expect(await countSettled(database)).toBe(50);
  const row = await readRow(database, "bad");
  expect(row.state).toBe("pending");
  expect(Math.round(((row.settle_at ?? 0) - Date.now()) / 10_000)).toBe(6);
});

test("backs off when upstream returns only invalid generation records", async () => {
  const { run } = await start(100, () => new GatewayError("upstream_bad_response", "no cost"));
  const lookups = await run(30);
  expect(lookups[0]).toBeLessThanOrEqual(8);
  expect(lookups.slice(1).reduce((sum, count) => sum + count)).toBeLessThanOrEqual(4);
});

test("reports the number of failed lookups once a minute", async () => {
  const { run, counts } = await start(100, () => new LookupRefused(500, { "retry-after": "1" }));
  await run(200);
  expect(counts[0]).toBe(1);
  expect(counts.length).toBeLessThanOrEqual(4);
  expect(counts[1]).toBeGreaterThan(1);
});
