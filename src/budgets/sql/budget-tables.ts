import type { BudgetPeriod } from "../../limits/limit-settings.ts";

// Kysely's types of the tables of budgets. Money is in nanodollars, times are ms since 1970, booleans are 0 or 1.

/** One period of one budget. Money is available as long as `spent + presumed + leased` is below the limit. */
export interface BudgetPeriodTable {
  /** The key, group or end user: see `scopes.ts`. */
  scope: string;
  period: BudgetPeriod;
  starts_at: number;
  /** The limit when the row was last used, for reports and alerts. */
  limit_nanodollars: number;
  /** Cost of all settled requests of the scope that began in the period. */
  spent_nanodollars: number;
  /** Worst-case cost of ended requests whose cost is not known, and of the leases of dead processes. */
  presumed_nanodollars: number;
  /** Sum of the leases of live processes. */
  leased_nanodollars: number;
}

/**
 * Money of a budget that one process holds, for its requests in flight and for requests to come. The requests are not listed
 * here: each record states the amount and the budgets of its reservation.
 */
export interface BudgetLeaseTable {
  instance: string;
  scope: string;
  period: BudgetPeriod;
  starts_at: number;
  amount_nanodollars: number;
  /** Whether the process counts as dead. The amount is then part of `presumed_nanodollars` of the budget. */
  is_expired: number;
}

declare module "../../store/database.ts" {
  interface Tables {
    budget_periods: BudgetPeriodTable;
    budget_leases: BudgetLeaseTable;
  }
}
