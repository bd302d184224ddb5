import {
  type Budget,
  BUDGET_PERIODS,
  type BudgetMode,
  type BudgetPeriod,
  type Budgets,
} from "../../limits/limit-settings.ts";
import type { Database } from "../../store/database.ts";
import { type BudgetId, formatBudgetId } from "../budget-id.ts";
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

/**
 * Reads the costs of the requests of scopes since the starts of periods, for budgets without a row.
 * @returns the costs in nanodollars, in the order of the budgets.
 */
export type ReadCosts = (budgets: readonly BudgetId[]) => Promise<readonly number[]>;

/**
 * Reads the current periods of budgets.
 * @param now ms since 1970.
 * @returns for each scope in the list, its budgets in the order of {@link BUDGET_PERIODS}.
 */
export async function readBudgets(
  database: Database,
  scoped: readonly ScopedBudgets[],
  now: number,
  readCosts: ReadCosts,
): Promise<BudgetStatus[][]> {
  const withBudgets = scoped.filter(({ budgets }) => Object.keys(budgets).length > 0);
  if (withBudgets.length === 0) return scoped.map(() => []);
  const rows = await readPeriods(database, withBudgets, now);
  const rowsById = new Map(rows.map((row) => [formatBudgetId(toId(row)), row]));
  const ids = withBudgets.flatMap(({ scope, budgets }) =>
    BUDGET_PERIODS.filter((period) => budgets[period]).map((period) => ({
      scope,
      period,
      startsAt: findPeriod(period, now).startsAt,
    })),
  );
  const absent = ids.filter((id) => !rowsById.has(formatBudgetId(id)));
  const costs = absent.length > 0 ? await readCosts(absent) : [];
  const costsById = new Map(absent.map((id, index) => [formatBudgetId(id), costs[index] ?? 0]));
  return scoped.map(({ scope, budgets }) =>
    BUDGET_PERIODS.flatMap((period) => {
      const budget = budgets[period];
      if (!budget) return [];
      const bounds = findPeriod(period, now);
      const id = formatBudgetId({ scope, period, startsAt: bounds.startsAt });
      const amounts = toAmounts(budget, rowsById.get(id), costsById.get(id) ?? 0);
      return [{ period, ...bounds, ...amounts }];
    }),
  );
}

type Amounts = Omit<BudgetStatus, "period" | keyof PeriodBounds>;

/** @param cost of the requests of the period, if the budget has no row. */
function toAmounts(
  { limitNanodollars: limit, mode }: Budget,
  row: BudgetPeriodTable | undefined,
  cost: number,
): Amounts {
  const spent = row?.spent_nanodollars ?? cost;
  const presumed = row?.presumed_nanodollars ?? 0;
  const reserved = row?.leased_nanodollars ?? 0;
  return { mode, limit, spent, presumed, reserved, remaining: Math.max(0, limit - spent - presumed) };
}

function toId({ scope, period, starts_at }: BudgetPeriodTable): BudgetId {
  return { scope, period, startsAt: starts_at };
}

/** Reads the rows of the current periods, at most four for each scope. */
async function readPeriods(
  { reader }: Database,
  scoped: readonly ScopedBudgets[],
  now: number,
): Promise<BudgetPeriodTable[]> {
  return reader
    .selectFrom("budget_periods")
    .selectAll()
    .where(
      "scope",
      "in",
      scoped.map(({ scope }) => scope),
    )
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
