import type { CallerKey } from "../../../src/auth/caller-key.ts";
import { type Budgets, NO_LIMITS } from "../../../src/limits/limit-settings.ts";
import { createBudgetKey } from "../../support/budget-replica.ts";
import type { ModelBudget } from "./reference.ts";

/** The users of the key with end users. */
export const END_USERS = ["ann", "bob"] as const;
/** The keys: `a` and `b` belong to a group, and `c` has end users. */
export const KEY_IDS = ["a", "b", "c"] as const;
export type KeyId = (typeof KEY_IDS)[number];

/** A request to be admitted. */
export interface Order {
  /** Index of the process. */
  readonly process: number;
  readonly key: KeyId;
  readonly endUser: string | undefined;
  readonly worstCase: number;
}

/** Creates the budgets at their first limits. All budgets of end users have one limit. */
export function createBudgets(): ModelBudget[] {
  return [
    { scope: "key:a", period: "day", limit: 1_000 },
    { scope: "key:a", period: "total", limit: 4_000 },
    { scope: "key:b", period: "month", limit: 2_000 },
    { scope: "group:g", period: "week", limit: 2_500 },
    { scope: "key:c", period: "day", limit: 900 },
    { scope: "end_user:c", period: "day", limit: 600 },
  ];
}

/** Lists the budgets of a request, with the names of their scopes. */
export function listBudgetsOf(
  budgets: readonly ModelBudget[],
  keyId: KeyId,
  endUser: string | undefined,
): ModelBudget[] {
  const ofScope = (scope: string): ModelBudget[] => budgets.filter((one) => one.scope === scope);
  const ofEndUser = ofScope(`end_user:${keyId}`).map((one) => ({
    ...one,
    scope: `end_user:${keyId}/${endUser}`,
  }));
  return [
    ...ofScope(`key:${keyId}`),
    ...(keyId === "c" ? [] : ofScope("group:g")),
    ...(endUser === undefined ? [] : ofEndUser),
  ];
}

/** Creates a key with the current limits. @param changedAt ms since 1970. */
export function createKey(budgets: readonly ModelBudget[], id: KeyId, changedAt: number): CallerKey {
  const settingsOf = (scope: string): Budgets =>
    Object.fromEntries(
      budgets
        .filter((one) => one.scope === scope)
        .map(({ period, limit }) => [period, { limitNanodollars: limit, mode: "hard" as const }]),
    );
  return createBudgetKey(settingsOf(`key:${id}`), {
    id,
    limitsChangedAt: changedAt,
    group:
      id === "c"
        ? null
        : {
            id: "g",
            name: "g",
            limits: { ...NO_LIMITS, budgets: settingsOf("group:g") },
            limitsChangedAt: changedAt,
          },
    endUsers: id === "c" ? { source: "user", budgets: settingsOf("end_user:c") } : null,
  } as never);
}
