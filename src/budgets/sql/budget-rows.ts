import { type Kysely, type QueryResult, type RawBuilder, sql } from "kysely";
import { BIGINT, TEXT } from "../../store/columns.ts";
import type { Database, Tables } from "../../store/database.ts";
import { jsonRows } from "../../store/json-rows.ts";
import { type BudgetId, formatBudgetId } from "../budget-id.ts";
import type { BudgetLeaseTable, BudgetPeriodTable } from "./budget-tables.ts";

// Rows of periods are locked before rows of leases, and each in the order of their keys. Therefore two replicas that change
// the same budgets cannot deadlock.

/** Amounts in nanodollars to add to a row of `budget_periods`. */
export interface PeriodDelta {
  readonly id: BudgetId;
  spent: number;
  presumed: number;
  leased: number;
}

/** The lease of a process in a budget. */
export interface LeaseId extends BudgetId {
  readonly instance: string;
}

/** Amount in nanodollars to add to a lease. */
export interface LeaseDelta {
  readonly id: LeaseId;
  amount: number;
}

const PERIOD_KEY = { scope: TEXT, period: TEXT, starts_at: BIGINT };
const LEASE_KEY = { instance: TEXT, ...PERIOD_KEY };
const PERIOD_DELTA = { ...PERIOD_KEY, spent: BIGINT, presumed: BIGINT, leased: BIGINT };
const LEASE_DELTA = { ...LEASE_KEY, amount: BIGINT };

/** Formats the id of a lease as text, by which leases are indexed. */
export function formatLeaseId(id: LeaseId): string {
  return `${id.instance} ${formatBudgetId(id)}`;
}

/** Returns the id of a row. */
export function toBudgetId({
  scope,
  period,
  starts_at,
}: Pick<BudgetPeriodTable, "scope" | "period" | "starts_at">): BudgetId {
  return { scope, period, startsAt: starts_at };
}

function toPeriodKey({ scope, period, startsAt }: BudgetId) {
  return { scope, period, starts_at: startsAt };
}

function toLeaseKey(id: LeaseId) {
  return { instance: id.instance, ...toPeriodKey(id) };
}

/** Rows of budgets by the text of their ids. A budget without a row is left out. */
export type PeriodRows = ReadonlyMap<string, BudgetPeriodTable>;

/** Reads the rows of budgets. */
export async function readPeriods(database: Database, ids: readonly BudgetId[]): Promise<PeriodRows> {
  return selectPeriods(database, database.kysely, { ids, lock: sql`` });
}

/** Reads the rows of budgets, and with PostgreSQL locks them until the transaction ends. */
export async function lockPeriods(
  database: Database,
  transaction: Kysely<Tables>,
  ids: readonly BudgetId[],
): Promise<PeriodRows> {
  return selectPeriods(database, transaction, { ids, lock: database.sqlite ? sql`` : sql`for update of b` });
}

/** A budget, and whether the lease of one process in it counts as that of a dead process. */
export type PeriodWithLease = BudgetPeriodTable & { readonly has_expired_lease: number };

/**
 * Reads the rows of budgets, and with PostgreSQL locks them until the transaction ends. The state of the lease is as of the
 * start of the statement, before it waited for locks.
 */
export async function lockPeriodsWithLeases(
  database: Database,
  transaction: Kysely<Tables>,
  ids: readonly LeaseId[],
): Promise<ReadonlyMap<string, PeriodWithLease>> {
  const keys = jsonRows(database, LEASE_KEY, ids.map(toLeaseKey), "k");
  const { rows } = await sql<PeriodWithLease>`
    select b.*, coalesce((select l.is_expired from budget_leases l where l.instance = k.instance
        and l.scope = k.scope and l.period = k.period and l.starts_at = k.starts_at), 0) as has_expired_lease
    from budget_periods b join ${keys}
      on b.scope = k.scope and b.period = k.period and b.starts_at = k.starts_at
    order by b.scope, b.period, b.starts_at ${database.sqlite ? sql`` : sql`for update of b`}`.execute(
    transaction,
  );
  return new Map(rows.map((row) => [formatBudgetId(toBudgetId(row)), row]));
}

async function selectPeriods(
  database: Database,
  kysely: Kysely<Tables>,
  { ids, lock }: { readonly ids: readonly BudgetId[]; readonly lock: RawBuilder<unknown> },
): Promise<PeriodRows> {
  if (ids.length === 0) return new Map();
  const keys = jsonRows(database, PERIOD_KEY, ids.map(toPeriodKey), "k");
  const { rows } = await sql<BudgetPeriodTable>`
    select b.* from budget_periods b join ${keys}
      on b.scope = k.scope and b.period = k.period and b.starts_at = k.starts_at
    order by b.scope, b.period, b.starts_at ${lock}`.execute(kysely);
  return new Map(rows.map((row) => [formatBudgetId(toBudgetId(row)), row]));
}

/** Returns the id of the lease in a row. */
export function toLeaseId(row: BudgetLeaseTable): LeaseId {
  return { instance: row.instance, ...toBudgetId(row) };
}

/** Reads leases, and with PostgreSQL locks them until the transaction ends. @returns the rows by the text of their ids. */
export async function lockLeases(
  database: Database,
  transaction: Kysely<Tables>,
  ids: readonly LeaseId[],
): Promise<Map<string, BudgetLeaseTable>> {
  if (ids.length === 0) return new Map();
  const keys = jsonRows(database, LEASE_KEY, ids.map(toLeaseKey), "k");
  const { rows } = await sql<BudgetLeaseTable>`
    select l.* from budget_leases l join ${keys}
      on l.instance = k.instance and l.scope = k.scope and l.period = k.period and l.starts_at = k.starts_at
    order by l.scope, l.period, l.starts_at, l.instance ${database.sqlite ? sql`` : sql`for update of l`}`.execute(
    transaction,
  );
  return new Map(rows.map((row) => [formatLeaseId(toLeaseId(row)), row]));
}

/** Amounts to add to budgets and leases. The rows of the budgets must be locked. */
export interface Deltas {
  readonly periods: readonly PeriodDelta[];
  readonly leases: readonly LeaseDelta[];
}

/**
 * Adds amounts to budgets, and to leases, of which it creates the missing ones. A budget without a row is left out.
 * @param skipsExpired whether leases of dead processes stay unchanged. Otherwise they must be locked if they exist.
 * @returns the number of changed leases.
 */
export async function addAmounts(
  database: Database,
  transaction: Kysely<Tables>,
  { periods, leases }: Deltas,
  skipsExpired = false,
): Promise<number> {
  const update = updatePeriods(database, periods);
  if (leases.length === 0) {
    if (periods.length > 0) await update.execute(transaction);
    return 0;
  }
  const upsert = upsertLeases(database, leases, skipsExpired);
  // One round trip, because other replicas wait for the locks. SQLite has no updates in a `with` clause.
  if (database.sqlite) {
    if (periods.length > 0) await update.execute(transaction);
    return countChanges(await upsert.execute(transaction));
  }
  const both = periods.length > 0 ? sql`with changed as (${update}) ${upsert}` : upsert;
  return countChanges(await both.execute(transaction));
}

function countChanges({ numAffectedRows = 0n }: QueryResult<unknown>): number {
  return Number(numAffectedRows);
}

function updatePeriods(database: Database, deltas: readonly PeriodDelta[]): RawBuilder<unknown> {
  const rows = deltas.map(({ id, spent, presumed, leased }) => ({
    ...toPeriodKey(id),
    spent,
    presumed,
    leased,
  }));
  return sql`update budget_periods set
      spent_nanodollars = spent_nanodollars + k.spent,
      presumed_nanodollars = presumed_nanodollars + k.presumed,
      leased_nanodollars = leased_nanodollars + k.leased
    from ${jsonRows(database, PERIOD_DELTA, rows, "k")}
    where budget_periods.scope = k.scope and budget_periods.period = k.period
      and budget_periods.starts_at = k.starts_at`;
}

function upsertLeases(
  database: Database,
  deltas: readonly LeaseDelta[],
  skipsExpired: boolean,
): RawBuilder<unknown> {
  const rows = deltas.map(({ id, amount }) => ({ ...toLeaseKey(id), amount }));
  return sql`insert into budget_leases
      (instance, scope, period, starts_at, amount_nanodollars, is_expired)
    select l.instance, l.scope, l.period, l.starts_at, l.amount, 0
    from ${jsonRows(database, LEASE_DELTA, rows, "l")} where true
    on conflict (instance, scope, period, starts_at)
    do update set amount_nanodollars = budget_leases.amount_nanodollars + excluded.amount_nanodollars
    ${skipsExpired ? sql`where budget_leases.is_expired = 0` : sql``}`;
}

/** Marks leases, which must be locked, as those of a dead or of a live process. */
export async function markLeases(
  database: Database,
  transaction: Kysely<Tables>,
  { ids, isExpired }: { readonly ids: readonly LeaseId[]; readonly isExpired: boolean },
): Promise<void> {
  if (ids.length === 0) return;
  await sql`update budget_leases set is_expired = ${isExpired ? 1 : 0}
    from ${jsonRows(database, LEASE_KEY, ids.map(toLeaseKey), "k")}
    where budget_leases.instance = k.instance and budget_leases.scope = k.scope
      and budget_leases.period = k.period and budget_leases.starts_at = k.starts_at`.execute(transaction);
}
