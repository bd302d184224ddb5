import type { Database } from "../../store/database.ts";

/** The cost of the requests of a key or a group. */
export interface SpentSum {
  readonly id: string | null;
  /** In nanodollars. */
  readonly spent: number | null;
}

/**
 * Sums what the requests of keys have cost, from the daily sums.
 * @param ids of the keys. @param startsAt start of a UTC day, in ms since 1970.
 * @returns one sum for each key with requests since then.
 */
export async function sumCostsOfKeys(
  { reader }: Database,
  ids: readonly string[],
  startsAt: number,
): Promise<SpentSum[]> {
  return reader
    .selectFrom("rollups_daily")
    .select((eb) => ["key_id as id", eb.fn.sum<number | null>("cost_nanodollars").as("spent")])
    .where("day", ">=", startsAt)
    .where("key_id", "in", ids)
    .groupBy("key_id")
    .execute();
}
