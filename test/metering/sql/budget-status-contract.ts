import { expect, test } from "vitest";
import type { BudgetPeriodTable } from "../../../src/budgets/sql/budget-tables.ts";
import { findTightest } from "../../../src/budgets/sql/read-budgets.ts";
import { newGroupSchema } from "../../../src/keys/group-input.ts";
import { newKeySchema } from "../../../src/keys/key-input.ts";
import { KeyService } from "../../../src/keys/key-service.ts";
import {
  readGroupBudgets,
  readKeyBudgets,
  readListedBudgets,
} from "../../../src/metering/sql/budget-status.ts";
import { addSums } from "../../../src/metering/sql/rollups.ts";
import { DAY_MS } from "../../../src/durations.ts";
import type { Database } from "../../../src/store/database.ts";
import { createRollup } from "../../support/rollup-rows.ts";

/** A Wednesday. */
const NOW = Date.parse("2026-11-04T10:30:00Z");
const MIDNIGHT = Date.parse("2026-11-04T00:00:00Z");
const BY = { actor: "cli", source: "somebody@somewhere" };
const BUDGETS = {
  total: { limit_usd: 1 },
  month: { limit_usd: 0.9, mode: "soft" },
  week: { limit_usd: 0.8 },
  day: { limit_usd: 0.7 },
};

/** Adds the costs of a key, by the start of the hour. */
async function spend(
  database: Database,
  key: string,
  costs: Readonly<Record<string, number>>,
): Promise<void> {
  const rows = Object.entries(costs).map(([hour, cost_nanodollars]) => ({
    ...createRollup(Date.parse(hour), [key, "a/b", "P"]),
    cost_nanodollars,
  }));
  await addSums(database, database.kysely, rows);
}

async function insertPeriod(database: Database, row: Partial<BudgetPeriodTable>): Promise<void> {
  const amounts = {
    limit_nanodollars: 1,
    spent_nanodollars: 0,
    presumed_nanodollars: 0,
    leased_nanodollars: 0,
  };
  const values = { scope: "key:none", period: "day", starts_at: MIDNIGHT, ...amounts, ...row } as const;
  await database.kysely.insertInto("budget_periods").values(values).execute();
}

/** Tests of the status of budgets, for every database. @param open returns an empty database. */
export function budgetStatusContract(open: () => Promise<Database>): void {
  const start = async () => {
    const database = await open();
    const keys = new KeyService(database, () => NOW);
    const limits = { budgets: BUDGETS };
    const group = await keys.groups.create(newGroupSchema.parse({ name: "team-a", limits }), BY);
    const { key } = await keys.create(newKeySchema.parse({ name: "bob", group: "team-a", limits }), BY);
    return { database, keys, key, group };
  };

  test("a budget without a row has spent what the ledger has summed up since the start of its period", async () => {
    const { database, keys, key, group } = await start();
    const { key: other } = await keys.create(newKeySchema.parse({ name: "eve", group: "team-a" }), BY);
    const { key: stranger } = await keys.create(newKeySchema.parse({ name: "sam" }), BY);
    await spend(database, key.id, {
      "2026-10-31T23:00:00Z": 1,
      "2026-11-01T00:00:00Z": 20,
      "2026-11-02T00:00:00Z": 300,
      "2026-11-04T00:00:00Z": 4_000,
    });
    await spend(database, other.id, { "2026-11-04T00:00:00Z": 50_000 });
    await spend(database, stranger.id, { "2026-11-04T00:00:00Z": 7_777_777 });
    const spent = (await readKeyBudgets(database, key, NOW)).map((status) => [status.period, status.spent]);
    expect(spent).toEqual([
      ["day", 4_000],
      ["week", 4_300],
      ["month", 4_320],
      ["total", 4_321],
    ]);
    const ofGroup = await readGroupBudgets(database, group, NOW);
    expect(ofGroup.map((status) => status.spent)).toEqual([54_000, 54_300, 54_320, 54_321]);
  });

  test("a budget with a row shows its amounts, the setting's limit, and the bounds of the period", async () => {
    const { database, key, group } = await start();
    const scope = `key:${key.id}`;
    await spend(database, key.id, { "2026-11-04T00:00:00Z": 9 });
    const amounts = { spent_nanodollars: 1_000, presumed_nanodollars: 200, leased_nanodollars: 30 };
    await insertPeriod(database, { scope, ...amounts });
    await insertPeriod(database, { scope, starts_at: MIDNIGHT - DAY_MS, spent_nanodollars: 5 });
    await insertPeriod(database, { scope, period: "total", starts_at: 0, spent_nanodollars: 2_000_000_000 });
    const [day, week, month, total] = await readKeyBudgets(database, key, NOW);
    expect(day).toEqual({
      period: "day",
      startsAt: MIDNIGHT,
      endsAt: MIDNIGHT + DAY_MS,
      mode: "hard",
      limit: 700_000_000,
      spent: 1_000,
      presumed: 200,
      reserved: 30,
      remaining: 700_000_000 - 1_200,
    });
    expect([week?.spent, month?.mode]).toEqual([9, "soft"]);
    expect(total).toMatchObject({ startsAt: 0, endsAt: Infinity, spent: 2_000_000_000, remaining: 0 });
    expect(findTightest([day, week, month, total].filter((status) => status !== undefined))).toBe(total);
    expect((await readGroupBudgets(database, group, NOW)).map((status) => status.reserved)).toEqual([
      0, 0, 0, 0,
    ]);
  });

  test("the budgets of many keys are read at once, in the order of the keys", async () => {
    const { database, keys, key } = await start();
    const { key: free } = await keys.create(newKeySchema.parse({ name: "eve" }), BY);
    const limits = { budgets: { day: { limit_usd: 5 } } };
    const { key: late } = await keys.create(newKeySchema.parse({ name: "sam", limits }), BY);
    await spend(database, late.id, { "2026-11-04T00:00:00Z": 77 });
    const listed = [...Array.from({ length: 150 }, () => free), late, key];
    const budgets = await readListedBudgets(database, "key", listed, NOW);
    expect(budgets.slice(0, 150)).toEqual(Array.from({ length: 150 }, () => []));
    expect(budgets.slice(150)).toEqual([
      await readKeyBudgets(database, late, NOW),
      await readKeyBudgets(database, key, NOW),
    ]);
    expect(budgets[150]?.map(({ spent }) => spent)).toEqual([77]);
  });

  test("a key without budgets has no status", async () => {
    const { database, keys } = await start();
    const { key } = await keys.create(newKeySchema.parse({ name: "eve" }), BY);
    expect(await readKeyBudgets(database, key, NOW)).toEqual([]);
    expect(findTightest([])).toBeUndefined();
  });
}
