import { expect, test } from "vitest";
import type { Database } from "../../src/store/database.ts";
import { addSums } from "../../src/store/rollups.ts";
import { keyUsage } from "../../src/store/key-usage.ts";

const KEY = "key_1";

/** Each cost as the sum of one hour of a key. */
async function spend(database: Database, costs: Readonly<Record<string, number>>, key = KEY): Promise<void> {
  const rows = Object.entries(costs).map(([hour, cost_nanodollars]) => ({
    hour: Date.parse(hour),
    key_id: key,
    model: "a/b",
    provider: "P",
    requests: 1,
    unknown_requests: 0,
    prompt_tokens: 1,
    completion_tokens: 1,
    cached_tokens: 0,
    reasoning_tokens: 0,
    cost_nanodollars,
  }));
  await addSums(database, database.kysely, rows);
}

const at = (database: Database, time: string) => keyUsage(database, KEY, Date.parse(time));

/** What must hold of a key's usage in every database. @param open gives an empty one. */
export function keyUsageContract(open: () => Promise<Database>): void {
  test("a key that has cost nothing has cost 0", async () => {
    expect(await at(await open(), "2026-11-04T10:30:00Z")).toEqual({
      total: 0,
      daily: 0,
      weekly: 0,
      monthly: 0,
    });
  });

  test("day, week and month begin at midnight UTC, the week on Monday", async () => {
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
    expect(await at(database, "2026-11-04T10:30:00Z")).toEqual({
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
  ])("at %s Sunday's usage is in %j", async (time, usage) => {
    const database = await open();
    await spend(database, { "2026-10-31T12:00:00Z": 1, "2026-11-01T12:00:00Z": 2 });
    expect(await at(database, time)).toEqual({ total: 3, ...usage });
  });

  test("sums are exact beyond 32 bits, and other keys are not in them", async () => {
    const database = await open();
    const dollars = 5_000_000_000_001;
    await spend(database, { "2026-11-04T09:00:00Z": dollars, "2026-11-04T10:00:00Z": dollars });
    await spend(database, { "2026-11-04T10:00:00Z": 7 }, "key_2");
    const total = 2 * dollars;
    expect(await at(database, "2026-11-04T10:30:00Z")).toEqual({
      total,
      daily: total,
      weekly: total,
      monthly: total,
    });
  });
}
