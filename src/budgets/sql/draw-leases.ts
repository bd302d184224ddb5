import type { Kysely } from "kysely";
import type { Database, Tables } from "../../store/database.ts";
import { formatBudgetId } from "../budget-id.ts";
import type { Draw, DrawnBudget } from "../budget-store.ts";
import {
  addAmounts,
  type LeaseId,
  lockPeriods,
  lockPeriodsWithLeases,
  type PeriodRows,
  readPeriods,
} from "./budget-rows.ts";
import type { BudgetPeriodTable } from "./budget-tables.ts";
import { hasExpiredLeases, reviveLeases } from "./lease-expiry.ts";

/** One draw gets at most the available money divided by this and by the number of replicas, so that the others find some too. */
const DRAWS_PER_REPLICA = 4;

/** A process that draws money. */
export interface Drawer {
  readonly instance: string;
  /** Number of live processes that share the budgets. */
  readonly replicas: number;
}

/**
 * Adds money of several budgets to the leases of a process: of all of them, or of none if one has too little.
 * @returns a result for each draw; undefined if a budget has no row. If the draw fails, all amounts granted are 0, unless each
 * `least` is 0.
 */
export async function drawLeases(
  database: Database,
  drawer: Drawer,
  draws: readonly Draw[],
): Promise<DrawnBudget[] | undefined> {
  const draw = () =>
    database.kysely
      .transaction()
      .execute((transaction) => drawInTransaction(database, transaction, { drawer, draws }));
  try {
    return await draw();
  } catch (error) {
    // Another process expired the leases while this one waited for locks. The second attempt sees and revives them.
    if (!(error instanceof LeasesExpired)) throw error;
    return draw();
  }
}

/** The error that rolls a draw back because a lease has expired since it was read. */
class LeasesExpired extends Error {}

interface DrawParts {
  readonly drawer: Drawer;
  readonly draws: readonly Draw[];
}

async function drawInTransaction(
  database: Database,
  transaction: Kysely<Tables>,
  { drawer: { instance, replicas }, draws }: DrawParts,
): Promise<DrawnBudget[] | undefined> {
  const ids = draws.map(({ id }) => ({ instance, ...id }));
  const periods = await lockRevived(database, transaction, ids);
  const drawn = draws.flatMap((draw) => {
    const row = periods.get(formatBudgetId(draw.id));
    return row ? [{ draw, row, grant: computeGrant(draw, row, replicas) }] : [];
  });
  if (drawn.length < draws.length) return undefined;
  const succeeds = drawn.every(({ grant }) => grant !== undefined);
  const grants = drawn.map(({ grant = 0 }) => (succeeds ? grant : 0));
  for (const { draw, row } of drawn) await saveLimit(transaction, draw, row);
  if (grants.some((grant) => grant > 0)) {
    const periodDeltas = draws.map(({ id }, at) => ({ id, leased: grants[at] ?? 0, spent: 0, presumed: 0 }));
    const leaseDeltas = ids.map((id, at) => ({ id, amount: grants[at] ?? 0 }));
    const changed = await addAmounts(
      database,
      transaction,
      { periods: periodDeltas, leases: leaseDeltas },
      true,
    );
    if (changed < ids.length) throw new LeasesExpired();
  }
  return drawn.map(({ row }, index) => ({
    granted: grants[index] ?? 0,
    spent: row.spent_nanodollars,
    presumed: row.presumed_nanodollars,
  }));
}

/**
 * Checks whether a draw fails, without a lock on the rows of the budgets, which settlements and other replicas need. Near a
 * limit, most draws fail.
 * @returns the results of the draw that failed; undefined if the draw may succeed, or has to change something else.
 */
export async function findFailedDraw(
  database: Database,
  instance: string,
  draws: readonly Draw[],
): Promise<DrawnBudget[] | undefined> {
  const periods = await readPeriods(
    database,
    draws.map(({ id }) => id),
  );
  const rows = draws.flatMap(({ id }) => periods.get(formatBudgetId(id)) ?? []);
  const isComplete =
    rows.length === draws.length && draws.every(({ limit }, at) => rows[at]?.limit_nanodollars === limit);
  const fails = draws.some((draw, at) => {
    const row = rows[at];
    return row !== undefined && computeGrant(draw, row, 1) === undefined;
  });
  if (!isComplete || !fails || (await hasExpiredLeases(database, instance))) return undefined;
  return rows.map((row) => ({
    granted: 0,
    spent: row.spent_nanodollars,
    presumed: row.presumed_nanodollars,
  }));
}

/**
 * Locks the rows of budgets, and revives the leases of this process in them. Otherwise its own lease would count as presumed,
 * and its requests would be refused although only requests in flight hold the money.
 */
async function lockRevived(
  database: Database,
  transaction: Kysely<Tables>,
  leases: readonly LeaseId[],
): Promise<PeriodRows> {
  const periods = await lockPeriodsWithLeases(database, transaction, leases);
  if ([...periods.values()].every((row) => row.has_expired_lease === 0)) return periods;
  await reviveLeases(database, transaction, leases);
  return lockPeriods(database, transaction, leases);
}

/** Computes what a draw gets; undefined if that is too little. Near the limit, a draw gets only what it needs. */
function computeGrant(
  { limit, least, wanted }: Draw,
  row: BudgetPeriodTable,
  replicas: number,
): number | undefined {
  const available = limit - row.spent_nanodollars - row.presumed_nanodollars - row.leased_nanodollars;
  if (available < least) return undefined;
  const share = Math.floor(available / (DRAWS_PER_REPLICA * replicas));
  return Math.max(least, Math.min(wanted, share), 0);
}

/** Updates the limit in a row whose budget was changed, for reports and alerts. */
export async function saveLimit(
  kysely: Kysely<Tables>,
  { limit }: Pick<Draw, "limit">,
  row: BudgetPeriodTable,
): Promise<void> {
  if (row.limit_nanodollars === limit) return;
  await kysely
    .updateTable("budget_periods")
    .set({ limit_nanodollars: limit })
    .where("scope", "=", row.scope)
    .where("period", "=", row.period)
    .where("starts_at", "=", row.starts_at)
    .execute();
}
