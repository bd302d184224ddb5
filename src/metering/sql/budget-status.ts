import { type BudgetStatus, readBudgets } from "../../budgets/sql/read-budgets.ts";
import { toGroupScope, toKeyScope } from "../../budgets/scopes.ts";
import type { BudgetPeriod, LimitSettings } from "../../limits/limit-settings.ts";
import type { Database } from "../../store/database.ts";
import { type KeyUsage, readKeyUsage, type Spending } from "./key-usage.ts";

/** A key or a group, with its limits. */
interface Limited {
  readonly id: string;
  readonly limits: LimitSettings;
}

const SPENDING_OF: Readonly<Record<BudgetPeriod, keyof Spending>> = {
  day: "daily",
  week: "weekly",
  month: "monthly",
  total: "total",
};

/**
 * Reads the current periods of the budgets of a key. Before the first request of a period, the budget has no row, and the sums
 * of the ledger state what was spent.
 * @param now ms since 1970.
 */
export async function readKeyBudgets(
  database: Database,
  { id, limits: { budgets } }: Limited,
  now: number,
): Promise<BudgetStatus[]> {
  if (Object.keys(budgets).length === 0) return [];
  let usage: Promise<KeyUsage> | undefined;
  return readBudgets(database, { scope: toKeyScope(id), budgets }, now, async (period) => {
    usage ??= readKeyUsage(database, id, now);
    return Number((await usage).cost[SPENDING_OF[period]]);
  });
}

/**
 * Reads the current periods of the budgets of a group. The ledger has no sums by group, so a budget without a row counts as
 * unspent.
 * @param now ms since 1970.
 */
export async function readGroupBudgets(
  database: Database,
  { id, limits: { budgets } }: Limited,
  now: number,
): Promise<BudgetStatus[]> {
  if (Object.keys(budgets).length === 0) return [];
  return readBudgets(database, { scope: toGroupScope(id), budgets }, now, async () => 0);
}
