import type { Database } from "../../store/database.ts";
import { readDatabaseTime } from "../../store/database-time.ts";

/** Largest credible jump of the clock, as a share of the retention time: the gateway may have been stopped for this long. */
const JUMP_SHARE = 0.1;
/** After a larger jump, trusted time advances this many times faster than run time: a day per hour. */
const CATCH_UP = 24;

/** A stored time before this date came from a wrong clock, such as one that started in 1970. */
const EARLIEST = Date.UTC(2020, 0, 1);

/** A table of one row: the last trusted time. */
interface RetentionClockTable {
  id: number;
  trusted_at: number;
}

declare module "../../store/database.ts" {
  interface Tables {
    retention_clock: RetentionClockTable;
  }
}

/** The time by the database's clock, and the time that retention trusts, both in ms since 1970. */
export interface RetentionTime {
  readonly now: number;
  /** Never later than `now`. */
  readonly trusted: number;
}

/**
 * Reads the time by which retention decides which rows are old. By a clock that is wrong by months, every row would be old.
 * Therefore, if the clock is far ahead of the last trusted time, the trusted time follows the clock gradually: by a day for
 * each hour that a gateway runs. If no trusted time is stored, the start of the newest row takes its place.
 * @param keepMs how long rows are kept.
 * @param ranMs run time of this process since the last stored time, by a monotonic clock.
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

/** Stores the trusted time. */
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
