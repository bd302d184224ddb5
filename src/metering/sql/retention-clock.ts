import type { Database } from "../../store/database.ts";
import { readDatabaseTime } from "../../store/database-time.ts";

/** The part of the retention time by which a clock may jump forward and be believed at once, as after a stop of the gateway. */
const JUMP_SHARE = 0.1;
/** A longer jump is believed at this many times the time that the gateway runs: a day for each hour. */
const CATCH_UP = 24;

/** A clock that was before this was wrong, such as one that begins in 1970. */
const EARLIEST = Date.UTC(2020, 0, 1);

/** One row: the latest time that the deletion of old requests has believed. */
interface RetentionClockTable {
  id: number;
  trusted_at: number;
}

declare module "../../store/database.ts" {
  interface Tables {
    retention_clock: RetentionClockTable;
  }
}

/** What the database's clock says, and how much of it is believed. ms since 1970. */
export interface RetentionTime {
  readonly now: number;
  /** No later than `now`. */
  readonly trusted: number;
}

/**
 * Tells how late it is for the deletion of old rows. A clock that is wrong by months would make every row old, so a clock
 * that goes far forward, from the time that was trusted last or from the newest row, is believed step by step: a day for
 * each hour that a gateway runs.
 * @param keepMs how long rows are kept.
 * @param ranMs how long this process has run since it last asked, by a clock that never goes back.
 */
export async function readRetentionTime(
  database: Database,
  keepMs: number,
  ranMs: number,
): Promise<RetentionTime> {
  const now = await readDatabaseTime(database);
  const known = await lastKnownTime(database);
  const isCredible = known === undefined || known < EARLIEST || now <= known + keepMs * JUMP_SHARE;
  return { now, trusted: isCredible ? now : Math.min(now, known + Math.round(ranMs * CATCH_UP)) };
}

/** Remembers the time that was trusted. */
export async function writeRetentionTime({ kysely }: Database, { trusted }: RetentionTime): Promise<void> {
  await kysely
    .insertInto("retention_clock")
    .values({ id: 1, trusted_at: trusted })
    .onConflict((conflict) => conflict.column("id").doUpdateSet({ trusted_at: trusted }))
    .execute();
}

async function lastKnownTime({ kysely }: Database): Promise<number | undefined> {
  const clock = await kysely.selectFrom("retention_clock").select("trusted_at").executeTakeFirst();
  if (clock) return clock.trusted_at;
  const newest = await kysely
    .selectFrom("requests")
    .select("started_at")
    .orderBy("id", "desc")
    .limit(1)
    .executeTakeFirst();
  return newest?.started_at;
}
