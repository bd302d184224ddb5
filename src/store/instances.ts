import type { Database } from "./database.ts";
import type { RequestRow } from "./request-row.ts";
import { addToRollups } from "./rollups.ts";
import { UNFINISHED } from "./unfinished.ts";

/** Says that this process lives. @param now ms since 1970. */
export async function beat(database: Database, id: string, now: number): Promise<void> {
  await database.kysely
    .insertInto("instances")
    .values({ id, started_at: now, seen_at: now })
    .onConflict((conflict) => conflict.column("id").doUpdateSet({ seen_at: now }))
    .execute();
}

/** Takes a process that has ended in order off the list. */
export async function leave(database: Database, id: string): Promise<void> {
  await database.kysely.deleteFrom("instances").where("id", "=", id).execute();
}

/** From when on a process counts as dead, and what it left as lost. ms since 1970. */
export interface Deadlines {
  readonly lastSeenBefore: number;
  /** A row without a generation is given up if it began before this. */
  readonly startedBefore: number;
}

/**
 * Takes over what dead processes have left open: what has a generation waits for its cost, what has none is given up.
 * Those that have been dead for long are taken off the list.
 * @param now ms since 1970. @returns the rows that were given up.
 */
export async function adoptOrphans(
  database: Database,
  now: number,
  { lastSeenBefore, startedBefore }: Deadlines,
): Promise<RequestRow[]> {
  return database.kysely.transaction().execute(async (transaction) => {
    const orphans = transaction
      .updateTable("requests")
      .where(UNFINISHED)
      .where("state", "=", "open")
      .where("instance", "not in", (eb) =>
        eb.selectFrom("instances").select("instances.id").where("seen_at", ">=", lastSeenBefore),
      );
    await orphans
      .set({ state: "pending", outcome: "interrupted", ended_at: now, settle_at: now })
      .where("generation_id", "is not", null)
      .execute();
    const lost = await orphans
      .set({ state: "unknown", cost_source: "unknown", outcome: "interrupted", ended_at: now })
      .where("generation_id", "is", null)
      .where("started_at", "<", startedBefore)
      .returningAll()
      .execute();
    await addToRollups(database, transaction, lost);
    // A process that lives after all puts itself on the list again.
    await transaction.deleteFrom("instances").where("seen_at", "<", startedBefore).execute();
    return lost;
  });
}
