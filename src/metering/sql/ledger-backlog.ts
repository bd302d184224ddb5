import type { Database } from "../../store/database.ts";
import { databaseTime } from "../../store/database-time.ts";
import { STATE } from "../record.ts";
import { IS_UNSETTLED } from "./state-conditions.ts";

/** The requests of all replicas whose cost is not known. */
export interface LedgerBacklog {
  readonly open: number;
  readonly pending: number;
  readonly unknown: number;
  /**
   * Time in ms since the end of the pending request that started first; 0 without one. The search for the one that ended first
   * would have to read every pending row.
   */
  readonly oldestPendingMs: number;
}

/** Counts the requests whose cost is not known, with the index `requests_unsettled` alone. */
export async function readLedgerBacklog(
  database: Pick<Database, "reader" | "sqlite">,
): Promise<LedgerBacklog> {
  const { reader } = database;
  const counts = await reader
    .selectFrom("requests")
    .select((eb) => ["state", eb.fn.countAll<number>().as("count")])
    .where(IS_UNSETTLED)
    .groupBy("state")
    .execute();
  const oldest = await reader
    .selectFrom("requests")
    .select((eb) => [
      eb.fn.coalesce("ended_at", "started_at").as("ended_at"),
      databaseTime(database).as("now"),
    ])
    .where(IS_UNSETTLED)
    .where("state", "=", STATE.pending)
    .orderBy("id")
    .limit(1)
    .executeTakeFirst();
  const count = (state: string): number => counts.find((one) => one.state === state)?.count ?? 0;
  return {
    open: count(STATE.open),
    pending: count(STATE.pending),
    unknown: count(STATE.unknown),
    oldestPendingMs: oldest ? Math.max(0, oldest.now - oldest.ended_at) : 0,
  };
}
