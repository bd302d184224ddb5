import type { BudgetId } from "../../budgets/budget-id.ts";
import { type BudgetStatus, readBudgets } from "../../budgets/sql/read-budgets.ts";
import { parseScope, toGroupScope, toKeyScope } from "../../budgets/scopes.ts";
import { listBudgetedGroups, listBudgetedKeys } from "../../keys/budgeted-rows.ts";
import { parseLimits } from "../../keys/limit-columns.ts";
import type { LimitSettings } from "../../limits/limit-settings.ts";
import type { Database } from "../../store/database.ts";
import { type SpentSum, sumCostsOfKeys } from "./key-spend.ts";

/** A key or a group, with its limits. */
interface Limited {
  readonly id: string;
  readonly limits: LimitSettings;
}

/**
 * Reads the current periods of the budgets of a key. Before the first request of a period, the budget has no row, and the sums
 * of the ledger state what was spent.
 * @param now ms since 1970.
 */
export async function readKeyBudgets(database: Database, key: Limited, now: number): Promise<BudgetStatus[]> {
  const [budgets = []] = await readListedBudgets(database, "key", [key], now);
  return budgets;
}

/**
 * Reads the current periods of the budgets of a group. Without a row, the sums of the keys that belong to the group now state
 * what was spent.
 * @param now ms since 1970.
 */
export async function readGroupBudgets(
  database: Database,
  group: Limited,
  now: number,
): Promise<BudgetStatus[]> {
  const [budgets = []] = await readListedBudgets(database, "group", [group], now);
  return budgets;
}

/**
 * Reads the current periods of the budgets of many keys or groups, with few statements for each {@link PAGE_MAX} of them.
 * @param now ms since 1970.
 * @returns the budgets of each key or group, in the order of the list.
 */
export async function readListedBudgets(
  database: Database,
  kind: LimitedScope["kind"],
  listed: readonly Limited[],
  now: number,
): Promise<BudgetStatus[][]> {
  const budgets: BudgetStatus[][] = [];
  for (let at = 0; at < listed.length; at += PAGE_MAX) {
    const scopes = listed.slice(at, at + PAGE_MAX).map(({ id, limits }) => ({ kind, id, limits }));
    budgets.push(...(await readStatus(database, scopes, now)));
  }
  return budgets;
}

interface LimitedScope extends Limited {
  readonly kind: "key" | "group";
}

async function readStatus(
  database: Database,
  scopes: readonly LimitedScope[],
  now: number,
): Promise<BudgetStatus[][]> {
  const scoped = scopes.map(({ kind, id, limits: { budgets } }) => ({
    scope: kind === "key" ? toKeyScope(id) : toGroupScope(id),
    budgets,
  }));
  return readBudgets(database, scoped, now, (absent) => readCosts(database, absent));
}

/**
 * Reads what the requests of keys and groups have cost since the starts of periods, from the daily sums. Takes one statement
 * for each kind of scope and each start. Periods begin with a day.
 */
async function readCosts(database: Database, budgets: readonly BudgetId[]): Promise<number[]> {
  const costs = new Map<string, number>();
  for (const [query, sameQuery] of Map.groupBy(budgets, toQuery)) {
    const ids = [...new Set(sameQuery.map(({ scope }) => parseScope(scope).id))];
    const read = query.startsWith("key ") ? sumCostsOfKeys : sumOfGroups;
    const sums = await read(database, ids, sameQuery[0]?.startsAt ?? 0);
    for (const { id, spent } of sums) costs.set(`${query} ${id}`, spent ?? 0);
  }
  return budgets.map((budget) => costs.get(`${toQuery(budget)} ${parseScope(budget.scope).id}`) ?? 0);
}

/** Budgets with the same text are read by the same statement. */
const toQuery = ({ scope, startsAt }: BudgetId): string => `${parseScope(scope).kind} ${startsAt}`;

async function sumOfGroups(
  { reader }: Database,
  ids: readonly string[],
  startsAt: number,
): Promise<SpentSum[]> {
  return reader
    .selectFrom("keys")
    .innerJoin("rollups_daily", "rollups_daily.key_id", "keys.id")
    .select((eb) => ["keys.group_id as id", eb.fn.sum<number | null>("cost_nanodollars").as("spent")])
    .where("rollups_daily.day", ">=", startsAt)
    .where("keys.group_id", "in", ids)
    .groupBy("keys.group_id")
    .execute();
}

/** The current period of a budget of a key or a group. */
export interface NamedBudget extends BudgetStatus {
  readonly scope: "key" | "group";
  /** Name of the key or group. */
  readonly name: string;
}

/** Keys and groups per page. A page has at most four budgets for each. */
const PAGE_MAX = 100;

/**
 * Reads the current periods of the budgets of all groups and of all keys that are not revoked, groups first, in pages.
 * @param max stop at this number of budgets. @param now ms since 1970.
 * @returns the budgets; `isComplete` is false if there are more.
 */
export async function readCurrentBudgets(
  database: Database,
  max: number,
  now: number,
): Promise<{ readonly budgets: readonly NamedBudget[]; readonly isComplete: boolean }> {
  const budgets: NamedBudget[] = [];
  for (const kind of ["group", "key"] as const) {
    const list = kind === "group" ? listBudgetedGroups : listBudgetedKeys;
    for (let after: string | undefined = ""; after !== undefined;) {
      const page = await list(database.reader, { limit: PAGE_MAX, after });
      const limited = page.map(({ id, limits }) => ({ id, limits: parseLimits(limits) }));
      const statuses = await readListedBudgets(database, kind, limited, now);
      for (const [index, { name }] of page.entries())
        for (const status of statuses[index] ?? []) budgets.push({ ...status, scope: kind, name });
      if (budgets.length > max) return { budgets: budgets.slice(0, max), isComplete: false };
      after = page.length < PAGE_MAX ? undefined : page.at(-1)?.id;
    }
  }
  return { budgets, isComplete: true };
}
