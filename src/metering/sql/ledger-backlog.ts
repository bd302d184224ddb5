import type { Database } from "../../store/database.ts";
import { databaseTime } from "../../store/database-time.ts";
import { STATE, type State } from "../record.ts";
import { IS_UNSETTLED } from "./state-conditions.ts";

type ReadableDatabase = Pick<Database, "reader" | "sqlite">;

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

/**
 * At most this number of requests in one state is counted. PostgreSQL reads the page of each row that was written since the last
 * vacuum, which takes 0.5 s for 100,000 rows.
 */
export const BACKLOG_MAX = 10_000;

/** Counts the requests whose cost is not known, up to {@link BACKLOG_MAX} in each state, with the index `requests_unsettled`. */
export async function readLedgerBacklog(database: ReadableDatabase): Promise<LedgerBacklog> {
  return {
    open: await countRequests(database, STATE.open),
    pending: await countRequests(database, STATE.pending),
    unknown: await countRequests(database, STATE.unknown),
    oldestPendingMs: await readOldestPendingMs(database),
  };
}

async function countRequests({ reader }: ReadableDatabase, state: State): Promise<number> {
  const counted = await reader
    .selectFrom((eb) =>
      eb
        .selectFrom("requests")
        .select("id")
        .where(IS_UNSETTLED)
        .where("state", "=", state)
        .limit(BACKLOG_MAX)
        .as("counted"),
    )
    .select((eb) => eb.fn.countAll<number>().as("count"))
    .executeTakeFirst();
  return counted?.count ?? 0;
}

async function readOldestPendingMs(database: ReadableDatabase): Promise<number> {
  const oldest = await database.reader
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
  return oldest ? Math.max(0, oldest.now - oldest.ended_at) : 0;
}
