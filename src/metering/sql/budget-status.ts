import { type BudgetStatus, readBudgets } from "../../budgets/sql/read-budgets.ts";
import { toGroupScope, toKeyScope } from "../../budgets/scopes.ts";
import type { LimitSettings } from "../../limits/limit-settings.ts";
import type { Database } from "../../store/database.ts";
import { readSpent } from "./budget-changes.ts";

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
export async function readKeyBudgets(
  database: Database,
  { id, limits }: Limited,
  now: number,
): Promise<BudgetStatus[]> {
  return readStatus(database, toKeyScope(id), limits, now);
}

/**
 * Reads the current periods of the budgets of a group. Without a row, the sums of the keys that belong to the group now state
 * what was spent.
 * @param now ms since 1970.
 */
export async function readGroupBudgets(
  database: Database,
  { id, limits }: Limited,
  now: number,
): Promise<BudgetStatus[]> {
  return readStatus(database, toGroupScope(id), limits, now);
}

async function readStatus(
  database: Database,
  scope: string,
  { budgets }: LimitSettings,
  now: number,
): Promise<BudgetStatus[]> {
  return readBudgets(database, { scope, budgets }, now, (period, startsAt) =>
    readSpent(database.reader, { scope, period, startsAt }),
  );
}
