import { GatewayError } from "../errors.ts";
import {
  BUDGET_PERIODS,
  type Budgets,
  type EndUserSettings,
  type LimitSettings,
  NO_LIMITS,
} from "../limits/limit-settings.ts";
import type { BudgetChanges, EndUserChanges, LimitChanges } from "./limit-input.ts";

// The columns of limits contain the JSON of the limits that are set, always in the same order, so that equal limits have equal
// texts.

/** Parses the column `limits` of a key or a group. */
export function parseLimits(column: string): LimitSettings {
  // Most keys have no limits, and up to 10,000 keys are cached.
  if (column === "{}") return NO_LIMITS;
  return { ...NO_LIMITS, ...(JSON.parse(column) as Partial<LimitSettings>) };
}

/** Formats the column `limits` of a key or a group. */
export function formatLimits({ budgets, ...counts }: LimitSettings): string {
  const set = Object.entries(counts).filter(([, value]) => value !== null);
  return JSON.stringify({
    ...(Object.keys(budgets).length > 0 && { budgets }),
    ...Object.fromEntries(set),
  });
}

/** Parses the column `end_users` of a key. */
export function parseEndUsers(column: string | null): EndUserSettings | null {
  return column === null ? null : (JSON.parse(column) as EndUserSettings);
}

/**
 * Returns the time of a change of limits, in ms since 1970. It is later than the previous change, even if another machine, whose
 * clock is ahead, made that one: processes that know both settings keep those with the later time.
 */
export function findChangeTime(previousChangeAt: number, now: number): number {
  return Math.max(now, previousChangeAt + 1);
}

/** Applies changes to limits. @returns `limits` itself if nothing is to be changed. */
export function changeLimits(limits: LimitSettings, changes: LimitChanges | undefined): LimitSettings {
  if (changes === undefined) return limits;
  if (changes === null) return NO_LIMITS;
  const { requests_per_minute, requests_per_day, tokens_per_minute, max_in_flight } = changes;
  return {
    budgets: changeBudgets(limits.budgets, changes.budgets),
    requestsPerMinute: choose(requests_per_minute, limits.requestsPerMinute),
    requestsPerDay: choose(requests_per_day, limits.requestsPerDay),
    tokensPerMinute: choose(tokens_per_minute, limits.tokensPerMinute),
    maxInFlight: choose(max_in_flight, limits.maxInFlight),
  };
}

/**
 * Applies changes to the settings for end users.
 * @throws GatewayError missing_required_parameter if neither the settings nor the changes have a source.
 */
export function changeEndUsers(
  endUsers: EndUserSettings | null,
  changes: EndUserChanges | undefined,
): EndUserSettings | null {
  if (changes === undefined) return endUsers;
  if (changes === null) return null;
  const source = changes.source ?? endUsers?.source;
  if (source === undefined)
    throw new GatewayError(
      "missing_required_parameter",
      "The source of the names of end users is missing; set it to user, or to header: and the name of a header.",
      { param: "end_users.source" },
    );
  return { source, budgets: changeBudgets(endUsers?.budgets ?? {}, changes.budgets) };
}

function changeBudgets(budgets: Budgets, changes: BudgetChanges | undefined): Budgets {
  if (changes === undefined) return budgets;
  if (changes === null) return {};
  const changed = BUDGET_PERIODS.flatMap((period) => {
    const budget = changes[period] === undefined ? budgets[period] : changes[period];
    return budget ? [[period, budget] as const] : [];
  });
  return Object.fromEntries(changed);
}

function choose(change: number | null | undefined, value: number | null): number | null {
  return change === undefined ? value : change;
}
