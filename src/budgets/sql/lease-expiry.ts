import type { Kysely } from "kysely";
import type { Database, Tables } from "../../store/database.ts";
import { type BudgetId, formatBudgetId } from "../budget-id.ts";
import type { BudgetAmount, ReturnedAmount } from "../budget-store.ts";
import {
  addAmounts,
  formatLeaseId,
  type LeaseId,
  lockLeases,
  lockPeriods,
  markLeases,
  type PeriodDelta,
  toBudgetId,
  toLeaseId,
} from "./budget-rows.ts";
import type { BudgetLeaseTable } from "./budget-tables.ts";

/**
 * Presumes the leases of dead processes as spent, because their requests may still be running upstream. The recovery of their
 * journals corrects the amounts later.
 */
export async function expireLeases(
  database: Database,
  transaction: Kysely<Tables>,
  deadInstances: readonly string[],
): Promise<void> {
  if (deadInstances.length === 0) return;
  const rows = await transaction
    .selectFrom("budget_leases")
    .selectAll()
    .where("instance", "in", deadInstances)
    .where("is_expired", "=", 0)
    .execute();
  const ids = rows.map(toLeaseId);
  await lockPeriods(database, transaction, uniqueBudgets(ids));
  await setExpired(database, transaction, { ids, isExpired: true });
}

/** Undoes the expiry of leases of a process that is alive after all. The rows of their budgets must be locked. */
export async function reviveLeases(
  database: Database,
  transaction: Kysely<Tables>,
  ids: readonly LeaseId[],
): Promise<void> {
  await setExpired(database, transaction, { ids, isExpired: false });
}

/** Whether a process has leases that count as those of a dead process. */
export async function hasExpiredLeases({ kysely }: Database, instance: string): Promise<boolean> {
  const expired = kysely
    .selectFrom("budget_leases")
    .select("scope")
    .where("instance", "=", instance)
    .where("is_expired", "=", 1);
  return (await expired.limit(1).executeTakeFirst()) !== undefined;
}

interface ExpiryChange {
  readonly ids: readonly LeaseId[];
  readonly isExpired: boolean;
}

/** Expires or revives leases. The rows of their budgets must be locked. */
async function setExpired(
  database: Database,
  transaction: Kysely<Tables>,
  { ids, isExpired }: ExpiryChange,
): Promise<void> {
  const rows = [...(await lockLeases(database, transaction, ids)).values()].filter(
    (row) => (row.is_expired === 1) !== isExpired,
  );
  if (rows.length === 0) return;
  await addAmounts(database, transaction, { periods: sumMoves(rows, isExpired ? 1 : -1), leases: [] });
  await markLeases(database, transaction, { ids: rows.map(toLeaseId), isExpired });
}

function uniqueBudgets(ids: readonly LeaseId[]): BudgetId[] {
  return [
    ...new Map(
      ids.map(({ scope, period, startsAt }) => {
        const id = { scope, period, startsAt };
        return [formatBudgetId(id), id] as const;
      }),
    ).values(),
  ];
}

/** Sums the moves from leased to presumed amounts for each budget. @param sign -1 for moves in the other direction. */
function sumMoves(rows: readonly BudgetLeaseTable[], sign: 1 | -1): PeriodDelta[] {
  const sums = new Map<string, PeriodDelta>();
  for (const row of rows) {
    const id = toBudgetId(row);
    const text = formatBudgetId(id);
    const sum = sums.get(text) ?? { id, spent: 0, presumed: 0, leased: 0 };
    sum.presumed += sign * row.amount_nanodollars;
    sum.leased -= sign * row.amount_nanodollars;
    sums.set(text, sum);
  }
  return [...sums.values()];
}

/** Gives money of leases back to their budgets. A lease that has less gives what it has. */
export async function returnLeases(
  database: Database,
  instance: string,
  amounts: readonly ReturnedAmount[],
): Promise<void> {
  if (amounts.length === 0) return;
  await database.kysely
    .transaction()
    .execute((transaction) => returnInTransaction(database, transaction, { instance, amounts }));
}

interface Return {
  readonly instance: string;
  readonly amounts: readonly ReturnedAmount[];
}

/** @returns the amounts that were returned, in nanodollars. */
async function returnInTransaction(
  database: Database,
  transaction: Kysely<Tables>,
  { instance, amounts }: Return,
): Promise<BudgetAmount[]> {
  const ids = amounts.map(({ id }) => ({ instance, ...id }));
  await lockPeriods(database, transaction, uniqueBudgets(ids));
  const rows = await lockLeases(database, transaction, ids);
  const parts = amounts.flatMap(({ id, nanodollars }) => {
    const row = rows.get(formatLeaseId({ instance, ...id }));
    return row ? [{ id, row, taking: Math.min(row.amount_nanodollars, nanodollars) }] : [];
  });
  await addAmounts(database, transaction, {
    periods: parts.map(({ id, row, taking }) =>
      row.is_expired === 1
        ? { id, spent: 0, presumed: -taking, leased: 0 }
        : { id, spent: 0, presumed: 0, leased: -taking },
    ),
    leases: parts.map(({ row, taking }) => ({ id: toLeaseId(row), amount: -taking })),
  });
  const unused = new Set(amounts.filter(({ isUnused }) => isUnused).map(({ id }) => formatBudgetId(id)));
  for (const { row, taking } of parts)
    if (taking === row.amount_nanodollars && unused.has(formatBudgetId(toBudgetId(row))))
      await deleteLease(transaction, row);
  return parts.map(({ id, taking }) => ({ id, nanodollars: taking }));
}

async function deleteLease(transaction: Kysely<Tables>, row: BudgetLeaseTable): Promise<void> {
  await transaction
    .deleteFrom("budget_leases")
    .where("instance", "=", row.instance)
    .where("scope", "=", row.scope)
    .where("period", "=", row.period)
    .where("starts_at", "=", row.starts_at)
    .execute();
}

/** Reads the leases of a process. */
export async function readLeases(kysely: Kysely<Tables>, instance: string): Promise<BudgetAmount[]> {
  const rows = await kysely
    .selectFrom("budget_leases")
    .selectAll()
    .where("instance", "=", instance)
    .execute();
  return rows.map((row) => ({ id: toBudgetId(row), nanodollars: row.amount_nanodollars }));
}

/**
 * Gives all money of a dead process back to its budgets. Every request of the process must be in the database before, because
 * the lease holds the reservations of requests that are not.
 */
export async function releaseLeases(database: Database, instance: string): Promise<void> {
  await database.kysely
    .transaction()
    .execute((transaction) => releaseInTransaction(database, transaction, instance));
}

/** Releases leases as {@link releaseLeases} does, in a transaction. @returns the released amounts. */
export async function releaseInTransaction(
  database: Database,
  transaction: Kysely<Tables>,
  instance: string,
): Promise<BudgetAmount[]> {
  const leases = await readLeases(transaction, instance);
  if (leases.length === 0) return [];
  // A lease gives what it has under its lock: a settlement may have added the rest of a reservation since the read.
  const amounts = leases.map(({ id }) => ({ id, nanodollars: Number.MAX_SAFE_INTEGER, isUnused: true }));
  return returnInTransaction(database, transaction, { instance, amounts });
}
