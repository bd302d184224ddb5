import type { BudgetPeriod, Budgets, BudgetMode, KeyLimits } from "../limits/limit-settings.ts";
import type { BudgetId } from "./budget-id.ts";
import { findPeriod } from "./periods.ts";
import { type ScopeKind, toEndUserScope, toGroupScope, toKeyScope } from "./scopes.ts";

/** A key with the settings that define its budgets. */
export interface BudgetedKey extends KeyLimits {
  readonly id: string;
}

/** One budget of a request, in the period that contains a time. */
export interface BudgetDefinition {
  readonly kind: ScopeKind;
  readonly id: BudgetId;
  /** The time at which the budget renews, in ms since 1970; Infinity if it never does. */
  readonly endsAt: number;
  /** In nanodollars. */
  readonly limit: number;
  readonly mode: BudgetMode;
  /** Time of the last change of the settings, in ms since 1970. */
  readonly changedAt: number;
}

/** Whether requests of a key can have budgets. */
export function hasBudgets(key: BudgetedKey): boolean {
  return hasAny(key.limits.budgets) || hasAny(key.group?.limits.budgets) || hasEndUserBudgets(key);
}

/** Whether each end user of a key has budgets. */
export function hasEndUserBudgets({ endUsers }: BudgetedKey): boolean {
  return hasAny(endUsers?.budgets);
}

function hasAny(budgets: Budgets | undefined): boolean {
  for (const _ in budgets) return true;
  return false;
}

/**
 * Lists the budgets that a request must fit in.
 * @param endUser the name of the end user as stored in records. @param now ms since 1970.
 */
export function listBudgets(key: BudgetedKey, endUser: string | undefined, now: number): BudgetDefinition[] {
  const { group, endUsers } = key;
  const listOf = (kind: ScopeKind, scope: string, budgets: Budgets, changedAt: number): BudgetDefinition[] =>
    Object.entries(budgets).map(([name, budget]) => {
      const period = name as BudgetPeriod;
      const { startsAt, endsAt } = findPeriod(period, now);
      const { limitNanodollars: limit, mode } = budget;
      return { kind, id: { scope, period, startsAt }, endsAt, limit, mode, changedAt };
    });
  return [
    ...listOf("key", toKeyScope(key.id), key.limits.budgets, key.limitsChangedAt),
    ...(group ? listOf("group", toGroupScope(group.id), group.limits.budgets, group.limitsChangedAt) : []),
    ...(endUsers && endUser !== undefined
      ? listOf("end_user", toEndUserScope(key.id, endUser), endUsers.budgets, key.limitsChangedAt)
      : []),
  ];
}
