import { sql } from "kysely";
import { expect, test } from "vitest";
import type { Database } from "../../../src/store/database.ts";
import { addSums } from "../../../src/metering/sql/rollups.ts";
import { createRollup } from "../../support/rollup-rows.ts";
import { readKeyUsage } from "../../../src/metering/sql/key-usage.ts";

const KEY = "key_1";

/** Adds costs to the hourly rollups of a key. @param costs the cost by the start of the hour. */
async function spend(database: Database, costs: Readonly<Record<string, number>>, key = KEY): Promise<void> {
  const rows = Object.entries(costs).map(([hour, cost_nanodollars]) => ({
    ...createRollup(Date.parse(hour), [key, "a/b", "P"]),
    cost_nanodollars,
    byok_nanodollars: 3 * cost_nanodollars,
  }));
  await addSums(database, database.kysely, rows);
}

/** Returns the usage of the key as numbers, and checks that the BYOK sums are three times the costs. */
async function readUsage(database: Database, time: string): Promise<Record<string, number>> {
  const { cost, byok } = await readKeyUsage(database, KEY, Date.parse(time));
  const tripled = Object.entries(cost).map(([name, sum]) => [name, 3n * (sum as bigint)]);
  expect(byok).toEqual(Object.fromEntries(tripled));
  return Object.fromEntries(Object.entries(cost).map(([name, sum]) => [name, Number(sum)]));
}

/** Tests of a key's usage, for every database. @param open returns an empty database. */
export function keyUsageContract(open: () => Promise<Database>): void {
  test("a key without requests has a usage of 0", async () => {
    expect(await readUsage(await open(), "2026-11-04T10:30:00Z")).toEqual({
      total: 0,
      daily: 0,
      weekly: 0,
      monthly: 0,
    });
  });

  test("days, weeks and months begin at midnight UTC, and weeks begin on Monday", async () => {
    const database = await open();
    await spend(database, {
      "2026-10-31T23:00:00Z": 1,
      "2026-11-01T00:00:00Z": 10,
      "2026-11-01T23:00:00Z": 100,
      "2026-11-02T00:00:00Z": 1_000,
      "2026-11-03T23:00:00Z": 10_000,
      "2026-11-04T00:00:00Z": 100_000,
      "2026-11-04T10:00:00Z": 1_000_000,
    });
    expect(await readUsage(database, "2026-11-04T10:30:00Z")).toEqual({
      total: 1_111_111,
      daily: 1_100_000,
      weekly: 1_111_000,
      monthly: 1_111_110,
    });
  });

  test.each([
    ["2026-11-01T23:59:59.999Z", { daily: 2, weekly: 3, monthly: 2 }],
    ["2026-11-02T00:00:00.000Z", { daily: 0, weekly: 0, monthly: 2 }],
    ["2026-12-01T00:00:00.000Z", { daily: 0, weekly: 0, monthly: 0 }],
  ])("at %s, the usage of Saturday 31 October (1) and Sunday 1 November (2) is %j", async (time, usage) => {
    const database = await open();
    await spend(database, { "2026-10-31T12:00:00Z": 1, "2026-11-01T12:00:00Z": 2 });
    expect(await readUsage(database, time)).toEqual({ total: 3, ...usage });
  });

  test("sums beyond 32 bits are exact and exclude other keys", async () => {
    const database = await open();
    const dollars = 5_000_000_000_001;
    await spend(database, { "2026-11-04T09:00:00Z": dollars, "2026-11-04T10:00:00Z": dollars });
    await spend(database, { "2026-11-04T10:00:00Z": 7 }, "key_2");
    const total = 2 * dollars;
    expect(await readUsage(database, "2026-11-04T10:30:00Z")).toEqual({
      total,
      daily: total,
      weekly: total,
      monthly: total,
    });
  });

  test("returns sums beyond 64 bits", async () => {
    const database = await open();
    await spend(database, { "2026-11-03T10:00:00Z": 1, "2026-11-04T10:00:00Z": 1 });
    await sql`update rollups_daily set cost_nanodollars = 9223372036854775807`.execute(database.kysely);
    const { cost } = await readKeyUsage(database, KEY, Date.parse("2026-11-04T10:30:00Z"));
    const largest = 9_223_372_036_854_775_807n;
    expect(cost).toEqual({
      total: 2n * largest,
      daily: largest,
      weekly: 2n * largest,
      monthly: 2n * largest,
    });
  });
}
