import type { Database } from "../../store/database.ts";
import { databaseTime } from "../../store/database-time.ts";
import { type RequestRow, STATE, type TokenCount, TRANSITIONS } from "../record.ts";
import { addToRollups } from "./rollups.ts";
import { IS_UNFINISHED } from "./state-conditions.ts";

/** How long a replica that has claimed rows may take before another one may: longer than it waits for an answer. */
const CLAIM_MS = 15_000;

/** Claims at most `limit` rows that wait for their cost and are due by the database's clock, for this replica alone. */
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
 * Makes rows due whose time is further ahead than any wait is long: a clock that was ahead has set it.
 * @param longestWaitMs of all the waits that `settle_at` can state.
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

/** How a claimed row goes back to those that wait. */
export interface Postponement {
  /** How long, by the database's clock, before it may be claimed again. */
  readonly waitMs: number;
  /** Whether OpenRouter responded, without a final cost: only such lookups count towards giving the row up. */
  readonly countsAsAttempt: boolean;
}

/** Puts a claimed row back, unless another replica has settled it. */
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

/** What settles a row. */
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

/** A row that is still open is settled by its own process. */
const SETTLEABLE_STATES = [STATE.pending, STATE.unknown] as const;

/**
 * Makes a row final and counts it in the rollups. A row that another replica has settled stays as it is; a real bill
 * corrects one that was given up, and its sums.
 * @returns the row as it is now; undefined when there was nothing to settle.
 */
export async function settleRow(
  database: Database,
  id: string,
  settlement: Settlement,
): Promise<RequestRow | undefined> {
  return database.kysely.transaction().execute(async (transaction) => {
    const query = transaction
      .selectFrom("requests")
      .selectAll()
      .where("id", "=", id)
      .where(
        "state",
        "in",
        SETTLEABLE_STATES.filter((state) => TRANSITIONS[state].includes(settlement.state)),
      );
    const before = await (database.sqlite ? query : query.forUpdate()).executeTakeFirst();
    if (!before) return undefined;
    const changes = { ...settlement, settle_at: null };
    await transaction.updateTable("requests").set(changes).where("id", "=", id).execute();
    const after = { ...before, ...changes };
    await addToRollups(database, transaction, [after], before.state === STATE.unknown ? [before] : []);
    return after;
  });
}
