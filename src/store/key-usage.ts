import type { Database } from "./database.ts";

const DAY_MS = 86_400_000;
/** 1 January 1970 was a Thursday: a week (from Monday) had begun three days before. */
const WEEK_SHIFT_MS = 3 * DAY_MS;

/** What a key has cost, in nanodollars: ever, and since the beginning of the day, week (Monday) and month, UTC. */
export interface KeyUsage {
  readonly total: number;
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
}

/** Usage that is settled. @param now ms since 1970. */
export async function keyUsage({ reader }: Database, keyId: string, now: number): Promise<KeyUsage> {
  const date = new Date(now);
  const day = now - (now % DAY_MS);
  const week = now - ((now + WEEK_SHIFT_MS) % (7 * DAY_MS));
  const month = Date.UTC(date.getUTCFullYear(), date.getUTCMonth());
  const row = await reader
    .selectFrom("rollups_daily")
    .where("key_id", "=", keyId)
    .select((eb) => {
      const costSince = (since: number) =>
        eb.fn.sum<number | null>(
          eb.case().when("day", ">=", since).then(eb.ref("cost_nanodollars")).else(0).end(),
        );
      return [
        eb.fn.sum<number | null>("cost_nanodollars").as("total"),
        costSince(day).as("daily"),
        costSince(week).as("weekly"),
        costSince(month).as("monthly"),
      ];
    })
    .executeTakeFirstOrThrow();
  return { total: row.total ?? 0, daily: row.daily ?? 0, weekly: row.weekly ?? 0, monthly: row.monthly ?? 0 };
}
