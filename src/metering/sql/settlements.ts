import type { Transaction } from "kysely";
import type { Database, Tables } from "../../store/database.ts";
import { databaseTime } from "../../store/database-time.ts";
import { type RequestRow, STATE, type State, type TokenCount, TRANSITIONS } from "../record.ts";
import { changeBudgets } from "./budget-changes.ts";
import { addToRollups } from "./rollups.ts";
import { IS_UNFINISHED } from "./state-conditions.ts";
import { alertCosts } from "./cost-alerts.ts";

/** Time after which another replica may claim the same rows. It is longer than the timeout of a cost lookup. */
const CLAIM_MS = 15_000;

/** Claims up to `limit` pending rows that are due by the database's clock, so that no other replica looks them up. */
export async function claimDue(database: Database, limit: number): Promise<RequestRow[]> {
  const { kysely, sqlite } = database;
  return kysely
    .with("due", (db) => {
      const due = db
        .selectFrom("requests")
        .select("id")
        .where(IS_UNFINISHED)
        .where("state", "=", STATE.pending)
        .where("settle_at", "<=", databaseTime(database))
        .orderBy("settle_at")
        .limit(limit);
      return sqlite ? due : due.forUpdate().skipLocked();
    })
    .updateTable("requests")
    .set({ settle_at: databaseTime(database, CLAIM_MS) })
    .where("id", "in", (eb) => eb.selectFrom("due").select("due.id"))
    .returningAll()
    .execute();
}

/**
 * Makes a row due if its `settle_at` is later than the longest wait allows. A clock that was ahead has set such a time.
 * @param longestWaitMs the longest wait that `settle_at` can contain.
 */
export async function makeMisdatedDue(database: Database, longestWaitMs: number): Promise<void> {
  await database.kysely
    .updateTable("requests")
    .set({ settle_at: databaseTime(database) })
    .where(IS_UNFINISHED)
    .where("state", "=", STATE.pending)
    .where("settle_at", ">", databaseTime(database, longestWaitMs))
    .execute();
}

/** How `postponeLookup` changes a row. */
export interface Postponement {
  /** Time until the row may be claimed again, by the database's clock. */
  readonly waitMs: number;
  /** Whether OpenRouter responded without a final cost. After enough such lookups, the row is given up. */
  readonly countsAsAttempt: boolean;
}

/** Releases a claimed row for a later lookup, unless another replica has settled it. */
export async function postponeLookup(
  database: Database,
  id: string,
  { waitMs, countsAsAttempt }: Postponement,
): Promise<void> {
  await database.kysely
    .updateTable("requests")
    .set((eb) => ({
      settle_at: databaseTime(database, waitMs),
      settle_attempts: eb("settle_attempts", "+", countsAsAttempt ? 1 : 0),
    }))
    .where("id", "=", id)
    .where("state", "=", STATE.pending)
    .execute();
}

/** The columns that settling a row sets. */
export type Settlement = Pick<
  RequestRow,
  | "state"
  | "cost_nanodollars"
  | "cost_source"
  | TokenCount
  | "is_byok"
  | "upstream_inference_nanodollars"
  | "provider"
  | "response_model"
>;

/** Open rows are not included, because their own process settles them. */
const SETTLEABLE_STATES: readonly State[] = [STATE.pending, STATE.unknown];

/**
 * Makes a row final and counts it in the rollups. Does not change a row that another replica has settled. If a row that was
 * given up as unknown receives a cost, the row and its sums are corrected.
 * @returns the updated row; undefined if there was no row to settle.
 */
export async function settleRow(
  database: Database,
  id: string,
  settlement: Settlement,
): Promise<RequestRow | undefined> {
  return database.kysely.transaction().execute(async (transaction) => {
    const before = await lockRow(database, transaction, id);
    return before && SETTLEABLE_STATES.includes(before.state)
      ? settleLockedRow(database, transaction, { before, settlement })
      : undefined;
  });
}

/** Reads a row, and with PostgreSQL locks it until the transaction ends. */
export async function lockRow(
  { sqlite }: Database,
  transaction: Transaction<Tables>,
  id: string,
): Promise<RequestRow | undefined> {
  const query = transaction.selectFrom("requests").selectAll().where("id", "=", id);
  return (sqlite ? query : query.forUpdate()).executeTakeFirst();
}

/**
 * Settles a row that the transaction has locked, as {@link settleRow} does.
 * @returns the updated row; undefined if the state of the row does not allow the settlement.
 */
export async function settleLockedRow(
  database: Database,
  transaction: Transaction<Tables>,
  { before, settlement }: { readonly before: RequestRow; readonly settlement: Settlement },
): Promise<RequestRow | undefined> {
  if (!TRANSITIONS[before.state].includes(settlement.state)) return undefined;
  const changes = { ...settlement, settle_at: null };
  await transaction.updateTable("requests").set(changes).where("id", "=", before.id).execute();
  const after = { ...before, ...changes };
  await addToRollups(database, transaction, [after], before.state === STATE.unknown ? [before] : []);
  await changeBudgets(database, transaction, [{ row: after, before: before.state }]);
  await alertCosts(database, transaction, [after]);
  return after;
}
