import type { Database } from "../../store/database.ts";
import { databaseTime } from "../../store/database-time.ts";
import { INTERRUPTED, type RequestRow, STATE, UNKNOWN_COST } from "../record.ts";
import { addToRollups } from "./rollups.ts";
import { IS_UNFINISHED } from "./state-conditions.ts";

/** A gateway process, from its start to its last heartbeat. Times are ms since 1970 by the database's clock. */
interface InstanceTable {
  id: string;
  started_at: number;
  seen_at: number;
}

declare module "../../store/database.ts" {
  interface Tables {
    instances: InstanceTable;
  }
}

/** Says that this process lives. @returns when, by the database's clock, in ms since 1970. */
export async function heartbeat(database: Database, id: string): Promise<number> {
  const now = databaseTime(database);
  const { seen_at } = await database.kysely
    .insertInto("instances")
    .values({ id, started_at: now, seen_at: now })
    .onConflict((conflict) => conflict.column("id").doUpdateSet({ seen_at: now }))
    .returning("seen_at")
    .executeTakeFirstOrThrow();
  return seen_at;
}

/** Takes a process that has ended in order off the list. */
export async function deregister(database: Database, id: string): Promise<void> {
  await database.kysely.deleteFrom("instances").where("id", "=", id).execute();
}

/** How long a process may be silent, by the database's clock. */
export interface SilenceLimits {
  /** After this long it counts as dead. */
  readonly deadAfterMs: number;
  /** After this long its rows without a generation are given up. */
  readonly lostAfterMs: number;
}

/**
 * Takes over what dead processes have left open: what has a generation waits for its cost, what has none is given up.
 * Those that have been dead for long are taken off the list.
 * @returns the rows that were given up.
 */
export async function adoptOrphans(
  database: Database,
  { deadAfterMs, lostAfterMs }: SilenceLimits,
): Promise<RequestRow[]> {
  const now = databaseTime(database);
  const lostBefore = databaseTime(database, -lostAfterMs);
  return database.kysely.transaction().execute(async (transaction) => {
    const updateOrphans = (silentMs: number) =>
      transaction
        .updateTable("requests")
        .where(IS_UNFINISHED)
        .where("state", "=", STATE.open)
        .where("instance", "not in", (eb) =>
          eb
            .selectFrom("instances")
            .select("instances.id")
            .where("seen_at", ">=", databaseTime(database, -silentMs)),
        );
    await updateOrphans(deadAfterMs)
      .set({ state: STATE.pending, outcome: INTERRUPTED, ended_at: now, settle_at: now })
      .where("generation_id", "is not", null)
      .execute();
    const lost = await updateOrphans(Math.max(deadAfterMs, lostAfterMs))
      .set({ ...UNKNOWN_COST, outcome: INTERRUPTED, ended_at: now })
      .where("generation_id", "is", null)
      // A start in the future is that of a clock which was ahead: it says nothing of the row's age.
      .where((eb) => eb.or([eb("started_at", "<", lostBefore), eb("started_at", ">", now)]))
      .returningAll()
      .execute();
    await addToRollups(database, transaction, lost);
    // A process that lives after all puts itself on the list again.
    await transaction.deleteFrom("instances").where("seen_at", "<", lostBefore).execute();
    return lost;
  });
}
