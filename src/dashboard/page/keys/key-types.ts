import type { BudgetStatus, Group, Key } from "../api/types.ts";

/** The periods of budgets, in the order in which they are shown. */
export const PERIODS = ["day", "week", "month", "total"] as const;
export type Period = (typeof PERIODS)[number];

/** A key in a list that was requested with budgets and spend. */
export interface ListedKey extends Key {
  readonly current_budgets?: readonly BudgetStatus[];
  readonly month_cost_usd?: string;
}

/** A group in a list that was requested with budgets. */
export interface ListedGroup extends Group {
  readonly current_budgets?: readonly BudgetStatus[];
}

/** A page of a list. */
export interface Listed<Row> {
  readonly data: readonly Row[];
  /** The `after` of the next page; null in the last page. */
  readonly next_after: string | null;
}
