import type { Database } from "./database.ts";
import type { RequestRow } from "./request-row.ts";
import { addToRollups } from "./rollups.ts";
import { UNFINISHED } from "./unfinished.ts";

/** How long a replica that has claimed rows may take before another one may: longer than it waits for an answer. */
const CLAIM_MS = 15_000;

/**
 * Claims rows that wait for their cost and are due, for this replica alone.
 * @param now ms since 1970. @returns at most `limit` of them, with this attempt counted.
 */
export async function claimDue(database: Database, now: number, limit: number): Promise<RequestRow[]> {
  const { kysely, sqlite } = database;
  return kysely
    .with("due", (db) => {
      const due = db
        .selectFrom("requests")
        .select("id")
        .where(UNFINISHED)
        .where("state", "=", "pending")
        .where("settle_at", "<=", now)
        .orderBy("settle_at")
        .limit(limit);
      return sqlite ? due : due.forUpdate().skipLocked();
    })
    .updateTable("requests")
    .set((eb) => ({ settle_at: now + CLAIM_MS, settle_attempts: eb("settle_attempts", "+", 1) }))
    .where("id", "in", (eb) => eb.selectFrom("due").select("due.id"))
    .returningAll()
    .execute();
}

/** Puts a claimed row back until `settleAt`. */
export async function postpone(database: Database, id: string, settleAt: number): Promise<void> {
  await database.kysely
    .updateTable("requests")
    .set({ settle_at: settleAt })
    .where("id", "=", id)
    .where("state", "=", "pending")
    .execute();
}

/** What settles a row. */
export type Settlement = Pick<
  RequestRow,
  | "state"
  | "cost_nanodollars"
  | "cost_source"
  | "prompt_tokens"
  | "completion_tokens"
  | "cached_tokens"
  | "cache_write_tokens"
  | "reasoning_tokens"
  | "is_byok"
  | "upstream_inference_nanodollars"
  | "provider"
  | "model_answered"
>;

/**
 * Makes a row final, unless another replica has, and counts it in the rollups.
 * @returns the row as it is now; undefined when there was nothing to settle.
 */
export async function settle(
  database: Database,
  id: string,
  settlement: Settlement,
): Promise<RequestRow | undefined> {
  return database.kysely.transaction().execute(async (transaction) => {
    const settled = await transaction
      .updateTable("requests")
      .set({ ...settlement, settle_at: null })
      .where("id", "=", id)
      .where("state", "=", "pending")
      .returningAll()
      .execute();
    await addToRollups(database, transaction, settled);
    return settled[0];
  });
}
