import { expect, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { LookupRefused } from "../../src/metering/cost-lookup.ts";
import { GENERATION_RECORD, readRow } from "../support/cost-reconciler.ts";
import { insertRequests } from "../support/ledger-rows.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { createUnknownRow, runCorrection } from "../support/unknown-costs.ts";
import { unknownCostsContract } from "./unknown-costs-contract.ts";

unknownCostsContract(() => openTestDatabase());

const PROVISIONAL = { ...GENERATION_RECORD, costNanodollars: 0, tokens: {} };

async function openWithRows(count: number) {
  const database = await openTestDatabase();
  const rows = Array.from({ length: count }, (_, number) => createUnknownRow(number));
  await insertRequests(database, rows);
  return { database, rows };
}

test("looks a row up again after a 429, and waits as long as retry-after requests", async () => {
  const { database } = await openWithRows(6);
  let lookups = 0;
  const startedAt = performance.now();
  const { summary, end, pauses } = await runCorrection({
    database,
    findGeneration: () =>
      ++lookups <= 4
        ? Promise.reject(new LookupRefused(429, { "retry-after": "2" }))
        : Promise.resolve(GENERATION_RECORD),
  });
  expect(summary).toMatchObject({ found: 6, corrected: 6 });
  expect(end.error).toBeUndefined();
  expect(pauses).toHaveLength(1);
  expect(performance.now() - startedAt).toBeGreaterThan(1_900);
  expect(lookups).toBe(10);
});

test("sends no further lookup after OpenRouter refuses the key, and keeps all rows", async () => {
  const { database } = await openWithRows(20);
  let lookups = 0;
  const { summary, end, pauses } = await runCorrection({
    database,
    findGeneration: () => {
      lookups++;
      return Promise.reject(new LookupRefused(401, {}));
    },
  });
  expect(lookups).toBe(4);
  expect(pauses).toEqual([]);
  expect(end.error).toBeInstanceOf(LookupRefused);
  expect(summary.remaining.get("not_looked_up")?.requests).toBe(20);
});

test("an invalid record leaves its row unknown and the other rows are corrected", async () => {
  const { database } = await openWithRows(3);
  const { summary, end } = await runCorrection({
    database,
    findGeneration: (id) =>
      id === "gen-1"
        ? Promise.reject(new GatewayError("upstream_bad_response", "no valid cost"))
        : Promise.resolve(GENERATION_RECORD),
  });
  expect(summary).toMatchObject({ found: 3, corrected: 2, stillUnknown: 1 });
  expect(summary.rows).toMatchObject([{ row: { generation_id: "gen-1" }, reason: "failed" }]);
  expect(end.error).toBeInstanceOf(GatewayError);
});

test("corrects all other rows when the lookups of some rows always fail with a 500", async () => {
  // The second of these rows is the last row of the first page.
  const { database } = await openWithRows(503);
  const { summary, end } = await runCorrection({
    database,
    findGeneration: (id) =>
      id === "gen-1" || id === "gen-499"
        ? Promise.reject(new LookupRefused(500, {}))
        : Promise.resolve(GENERATION_RECORD),
  });
  expect(summary).toMatchObject({ found: 503, corrected: 501, stillUnknown: 2 });
  expect(summary.rows.map(({ row, reason }) => [row.generation_id, reason])).toEqual([
    ["gen-1", "failed"],
    ["gen-499", "failed"],
  ]);
  expect(end).toMatchObject({ isInterrupted: false, error: expect.any(LookupRefused) });
}, 30_000);

test("an interruption keeps the corrections of the lookups in progress and sends no further lookup", async () => {
  const { database, rows } = await openWithRows(20);
  const stopping = new AbortController();
  let lookups = 0;
  const { summary, end } = await runCorrection({
    database,
    signal: stopping.signal,
    findGeneration: () => {
      if (++lookups === 6) stopping.abort();
      return Promise.resolve(GENERATION_RECORD);
    },
  });
  expect(end).toEqual({ isInterrupted: true, error: undefined });
  expect([lookups, summary.corrected]).toEqual([8, 8]);
  expect(await readRow(database, rows[7]?.id ?? "")).toMatchObject({ state: "settled" });
  expect(await readRow(database, rows[8]?.id ?? "")).toMatchObject({ state: "unknown" });
});

test("an interruption ends a pause", async () => {
  const { database } = await openWithRows(2);
  const stopping = new AbortController();
  const { end } = await runCorrection({
    database,
    signal: stopping.signal,
    findGeneration: () => Promise.reject(new LookupRefused(429, { "retry-after": "600" })),
    onPause: () => setTimeout(() => stopping.abort(), 10),
  });
  expect(end.isInterrupted).toBe(true);
});

test("accepts a record without a cost only an hour after the end of the request", async () => {
  const database = await openTestDatabase();
  await insertRequests(database, [
    createUnknownRow(1, { ended_at: Date.now() }),
    createUnknownRow(2, { ended_at: Date.now() - 3_700_000 }),
  ]);
  const { summary } = await runCorrection({
    database,
    findGeneration: () => Promise.resolve(PROVISIONAL),
  });
  expect(summary).toMatchObject({ corrected: 1, correctedNanodollars: 0n });
  expect(summary.rows).toMatchObject([{ row: { generation_id: "gen-1" }, reason: "not_final" }]);
});

test("counts corrected requests that cost more than their reservation", async () => {
  const database = await openTestDatabase();
  await insertRequests(database, [
    createUnknownRow(1, { reserved_nanodollars: 6, reserved_in: "key:day" }),
    createUnknownRow(2, { reserved_nanodollars: 7, reserved_in: "key:day" }),
  ]);
  const { summary } = await runCorrection({
    database,
    findGeneration: () => Promise.resolve(GENERATION_RECORD),
  });
  expect(summary).toMatchObject({ corrected: 2, aboveReservation: 1 });
});
