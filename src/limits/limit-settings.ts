/** Periods of a budget. Days, weeks (from Monday) and months are those of UTC. */
export const BUDGET_PERIODS = ["day", "week", "month", "total"] as const;
export type BudgetPeriod = (typeof BUDGET_PERIODS)[number];

/**
 * Enforcement of a budget. `hard`: a request must fit in at its worst-case cost, so spending never exceeds the limit. `soft`:
 * requests are admitted while spending is under the limit, so what is in flight then can exceed it.
 */
export type BudgetMode = "hard" | "soft";

/** The most that a key, a group or an end user may spend in one period. */
export interface Budget {
  readonly limitNanodollars: number;
  readonly mode: BudgetMode;
}

/** The budgets of a key, a group or an end user, by period. A request must fit in all of them. */
export type Budgets = Readonly<Partial<Record<BudgetPeriod, Budget>>>;

/** The limits of a key or of a group of keys; null: no limit. */
export interface LimitSettings {
  readonly budgets: Budgets;
  readonly requestsPerMinute: number | null;
  readonly requestsPerDay: number | null;
  readonly tokensPerMinute: number | null;
  readonly maxInFlight: number | null;
}

/** A group of keys, such as a team, with limits for all of its keys together. */
export interface KeyGroup {
  readonly id: string;
  readonly name: string;
  readonly limits: LimitSettings;
  /** Time of the last change of `limits`, in ms since 1970. */
  readonly limitsChangedAt: number;
}

/** The end users of a key: they group reports, and each can have budgets. They never decide about access. */
export interface EndUserSettings {
  /** Source of the end user's name: `user` (the field of the body), or `header:` and the lower-case name of a header. */
  readonly source: string;
  /** The budgets of each end user. */
  readonly budgets: Budgets;
}

/** The limits of one key, and of the group and the end users that it belongs to. */
export interface KeyLimits {
  readonly limits: LimitSettings;
  /** Time of the last change of `limits` or `endUsers`, in ms since 1970. */
  readonly limitsChangedAt: number;
  readonly group: KeyGroup | null;
  readonly endUsers: EndUserSettings | null;
  /** Reserved for a request whose cost has no bound; null: hard budgets refuse such a request. */
  readonly unboundedReservationNanodollars: number | null;
  /**
   * Until then, in ms since 1970, the key is refused, because a request cost more than was reserved for it; 0: not refused.
   */
  readonly blockedUntil: number;
}

export const NO_LIMITS: LimitSettings = {
  budgets: {},
  requestsPerMinute: null,
  requestsPerDay: null,
  tokensPerMinute: null,
  maxInFlight: null,
};

/** The limits of a key that has none. */
export const UNLIMITED: KeyLimits = {
  limits: NO_LIMITS,
  limitsChangedAt: 0,
  group: null,
  endUsers: null,
  unboundedReservationNanodollars: null,
  blockedUntil: 0,
};
