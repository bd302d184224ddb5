import type { Kysely } from "kysely";
import type { Database, Tables } from "../../store/database.ts";
import { type BudgetId, formatBudgetId, listPossibleBudgets, listReservedBudgets } from "../budget-id.ts";
import {
  addAmounts,
  formatLeaseId,
  type LeaseDelta,
  type LeaseId,
  lockLeases,
  lockPeriods,
  type PeriodDelta,
} from "./budget-rows.ts";
import type { BudgetPeriodTable } from "./budget-tables.ts";

/** The effect of one changed record on budgets. Money is in nanodollars. */
export interface RecordChange {
  /** The process that admitted the request. Its lease holds the reservation until the request ends. */
  readonly instance: string;
  readonly keyId: string;
  readonly groupId: string | null;
  readonly endUser: string | null;
  /** ms since 1970. */
  readonly startedAt: number;
  readonly reservedIn: string | null;
  /** Cost to add to every budget that the request counts in. */
  readonly spent: number;
  /** Taken from the lease in each budget of the reservation; negative to add to the lease. */
  readonly fromLease: number;
  /** Added to the presumed amount of each budget of the reservation; negative when the cost becomes known. */
  readonly presumed: number;
}

/** A budget before and after a change. */
export interface ChangedPeriod {
  readonly before: BudgetPeriodTable;
  readonly spentAfter: number;
}

/**
 * Moves the money of changed records: from leases to presumed or spent amounts, and from presumed to spent amounts. Must run in
 * the transaction that changes the records, so that each change is counted once.
 * @returns the budgets whose spending changed.
 */
export async function settleBudgets(
  database: Database,
  transaction: Kysely<Tables>,
  changes: readonly RecordChange[],
): Promise<ChangedPeriod[]> {
  if (changes.length === 0 || !(await hasBudgets(transaction))) return [];
  const { periods, leases } = sumChanges(changes);
  const rows = await lockPeriods(
    database,
    transaction,
    [...periods.values()].map(({ id }) => id),
  );
  const existing = [...periods].filter(([text]) => rows.has(text)).map(([, delta]) => delta);
  const changedLeases = await changeLeases(database, transaction, { periods, leases });
  await addAmounts(database, transaction, { periods: existing, leases: changedLeases });
  return existing.flatMap(({ id, spent }) => {
    const before = rows.get(formatBudgetId(id));
    return before && spent !== 0 ? [{ before, spentAfter: before.spent_nanodollars + spent }] : [];
  });
}

/** Whether any budget has a row. Most gateways have none, and this check is then the only cost. */
async function hasBudgets(transaction: Kysely<Tables>): Promise<boolean> {
  return (
    (await transaction.selectFrom("budget_periods").select("scope").limit(1).executeTakeFirst()) !== undefined
  );
}

interface Sums {
  readonly periods: Map<string, PeriodDelta>;
  readonly leases: Map<string, LeaseDelta>;
}

function sumChanges(changes: readonly RecordChange[]): Sums {
  const sums: Sums = { periods: new Map(), leases: new Map() };
  for (const change of changes) {
    const { instance, startedAt, reservedIn, spent, fromLease, presumed } = change;
    if (spent !== 0)
      for (const id of listPossibleBudgets(change, startedAt)) findPeriodDelta(sums, id).spent += spent;
    if (reservedIn === null) continue;
    for (const id of listReservedBudgets(reservedIn, change, startedAt)) {
      findPeriodDelta(sums, id).presumed += presumed;
      if (fromLease !== 0) findLeaseDelta(sums, { instance, ...id }).amount -= fromLease;
    }
  }
  return sums;
}

function findPeriodDelta({ periods }: Sums, id: BudgetId): PeriodDelta {
  const text = formatBudgetId(id);
  const known = periods.get(text);
  if (known) return known;
  const delta = { id, spent: 0, presumed: 0, leased: 0 };
  periods.set(text, delta);
  return delta;
}

function findLeaseDelta({ leases }: Sums, id: LeaseId): LeaseDelta {
  const text = formatLeaseId(id);
  const known = leases.get(text);
  if (known) return known;
  const delta = { id, amount: 0 };
  leases.set(text, delta);
  return delta;
}

/**
 * Plans to take money from leases, and subtracts it from the total of leases of its budget; from the presumed amount, if the process
 * counts as dead. A lease that has less gives what it has. A positive amount is added to the lease, unless the process has no
 * lease: it has ended, and its lease was released.
 * @returns the amounts to add to the leases.
 */
async function changeLeases(
  database: Database,
  transaction: Kysely<Tables>,
  sums: Sums,
): Promise<LeaseDelta[]> {
  const wanted = [...sums.leases.values()].filter(({ amount }) => amount !== 0);
  const rows = await lockLeases(
    database,
    transaction,
    wanted.map(({ id }) => id),
  );
  return wanted.flatMap((change) => {
    const row = rows.get(formatLeaseId(change.id));
    if (!row) return [];
    const amount = Math.max(change.amount, -row.amount_nanodollars);
    if (amount === 0) return [];
    const { scope, period, startsAt } = change.id;
    const delta = findPeriodDelta(sums, { scope, period, startsAt });
    if (row.is_expired === 1) delta.presumed += amount;
    else delta.leased += amount;
    return [{ id: change.id, amount }];
  });
}
