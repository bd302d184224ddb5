import { BUDGET_PERIODS, type BudgetPeriod } from "../limits/limit-settings.ts";
import { findPeriod } from "./periods.ts";
import { type ScopeKind, toEndUserScope, toGroupScope, toKeyScope } from "./scopes.ts";

/** One period of one budget: the primary key of its row. */
export interface BudgetId {
  readonly scope: string;
  readonly period: BudgetPeriod;
  /** Start of the period, in ms since 1970. */
  readonly startsAt: number;
}

/** The scopes that a request belongs to. */
export interface RequestScopes {
  readonly keyId: string;
  readonly groupId: string | null;
  /** The name of the end user as stored in records. */
  readonly endUser: string | null;
}

/** Formats an id as text, by which ids are indexed and sorted. */
export function formatBudgetId({ scope, period, startsAt }: BudgetId): string {
  return `${period} ${startsAt} ${scope}`;
}

/** Returns the scope of a kind that a request belongs to; undefined if there is none. */
export function findScope(kind: ScopeKind, { keyId, groupId, endUser }: RequestScopes): string | undefined {
  if (kind === "key") return toKeyScope(keyId);
  if (kind === "group") return groupId === null ? undefined : toGroupScope(groupId);
  return endUser === null ? undefined : toEndUserScope(keyId, endUser);
}

/** Formats budgets for the column `reserved_in`, such as `key:day,group:month`. */
export function formatReservedIn(budgets: readonly (readonly [ScopeKind, BudgetPeriod])[]): string {
  return budgets.map(([kind, period]) => `${kind}:${period}`).join(",");
}

/** Parses the column `reserved_in`. Skips parts that this version does not know. */
export function parseReservedIn(text: string): (readonly [ScopeKind, BudgetPeriod])[] {
  return text.split(",").flatMap((part) => {
    const [kind, period] = part.split(":");
    return isScopeKind(kind) && isBudgetPeriod(period) ? [[kind, period] as const] : [];
  });
}

/** Lists the budgets that hold a reservation. @param startedAt start of the request, in ms since 1970. */
export function listReservedBudgets(
  reservedIn: string,
  scopes: RequestScopes,
  startedAt: number,
): BudgetId[] {
  return parseReservedIn(reservedIn).flatMap(([kind, period]) => {
    const scope = findScope(kind, scopes);
    return scope === undefined ? [] : [{ scope, period, startsAt: findPeriod(period, startedAt).startsAt }];
  });
}

/**
 * Finds the time at which the first of the budgets with a reservation renews.
 * @param startedAt start of the request, in ms since 1970. @returns ms since 1970; Infinity if none of them renews.
 */
export function findRenewal(reservedIn: string, startedAt: number): number {
  return Math.min(...parseReservedIn(reservedIn).map(([, period]) => findPeriod(period, startedAt).endsAt));
}

/** Lists every budget that a request can count in, whether the budget exists or not. */
export function listPossibleBudgets(scopes: RequestScopes, startedAt: number): BudgetId[] {
  return SCOPE_KINDS.flatMap((kind) => {
    const scope = findScope(kind, scopes);
    if (scope === undefined) return [];
    return BUDGET_PERIODS.map((period) => ({
      scope,
      period,
      startsAt: findPeriod(period, startedAt).startsAt,
    }));
  });
}

const SCOPE_KINDS: readonly ScopeKind[] = ["key", "group", "end_user"];

function isScopeKind(text: string | undefined): text is ScopeKind {
  return SCOPE_KINDS.some((kind) => kind === text);
}

function isBudgetPeriod(text: string | undefined): text is BudgetPeriod {
  return BUDGET_PERIODS.some((period) => period === text);
}
