import {
  BUDGET_PERIODS,
  type BudgetMode,
  type BudgetPeriod,
  type Budgets,
} from "../../limits/limit-settings.ts";
import type { Database } from "../../store/database.ts";
import { findPeriod, type PeriodBounds } from "../periods.ts";
import type { BudgetPeriodTable } from "./budget-tables.ts";

/** The current period of one budget. Amounts are in nanodollars. */
export interface BudgetStatus extends PeriodBounds {
  readonly period: BudgetPeriod;
  readonly mode: BudgetMode;
  readonly limit: number;
  readonly spent: number;
  /** Worst-case cost of ended requests whose cost is not known. */
  readonly presumed: number;
  /** Held by gateways, for requests in flight and requests to come. */
  readonly reserved: number;
  /** The limit without spent and presumed money; never below 0. The reserved money is part of it. */
  readonly remaining: number;
}

/** The budgets of a key, a group or an end user. */
export interface ScopedBudgets {
  /** See `scopes.ts`. */
  readonly scope: string;
  readonly budgets: Budgets;
}

/** Reads the cost of the requests of a scope since the start of a period, for a budget without a row. */
export type ReadCostSince = (period: BudgetPeriod, startsAt: number) => Promise<number>;

/**
 * Reads the current periods of budgets, in the order of {@link BUDGET_PERIODS}.
 * @param now ms since 1970.
 */
export async function readBudgets(
  database: Database,
  { scope, budgets }: ScopedBudgets,
  now: number,
  readCostSince: ReadCostSince,
): Promise<BudgetStatus[]> {
  if (Object.keys(budgets).length === 0) return [];
  const rows = await readPeriods(database, scope, now);
  const found: BudgetStatus[] = [];
  for (const period of BUDGET_PERIODS) {
    const budget = budgets[period];
    if (!budget) continue;
    const bounds = findPeriod(period, now);
    const row = rows.find((one) => one.period === period && one.starts_at === bounds.startsAt);
    const spent = row?.spent_nanodollars ?? (await readCostSince(period, bounds.startsAt));
    const presumed = row?.presumed_nanodollars ?? 0;
    const { limitNanodollars: limit, mode } = budget;
    const reserved = row?.leased_nanodollars ?? 0;
    const remaining = Math.max(0, limit - spent - presumed);
    found.push({ period, ...bounds, mode, limit, spent, presumed, reserved, remaining });
  }
  return found;
}

/** Reads the rows of the current periods of a scope, which are at most four. */
async function readPeriods({ reader }: Database, scope: string, now: number): Promise<BudgetPeriodTable[]> {
  return reader
    .selectFrom("budget_periods")
    .selectAll()
    .where("scope", "=", scope)
    .where((eb) =>
      eb.or(
        BUDGET_PERIODS.map((period) =>
          eb.and([eb("period", "=", period), eb("starts_at", "=", findPeriod(period, now).startsAt)]),
        ),
      ),
    )
    .execute();
}

/** Returns the budget of which the least money remains; undefined without a budget. */
export function findTightest(budgets: readonly BudgetStatus[]): BudgetStatus | undefined {
  return budgets.reduce<BudgetStatus | undefined>(
    (tightest, budget) => (tightest && tightest.remaining <= budget.remaining ? tightest : budget),
    undefined,
  );
}
