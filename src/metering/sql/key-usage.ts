import { DAY_MS } from "../../durations.ts";
import type { Database } from "../../store/database.ts";
import { joinSumParts, selectSumParts } from "../../store/exact-sums.ts";
import { floorToDay } from "./rollup-times.ts";

/** 1 January 1970 was a Thursday, three days after the start of its week (Monday). */
const WEEK_SHIFT_MS = 3 * DAY_MS;

/** Amounts in nanodollars: in total, and since the start of the day, the week (Monday) and the month (UTC). */
export interface Spending {
  readonly total: bigint;
  readonly daily: bigint;
  readonly weekly: bigint;
  readonly monthly: bigint;
}

/** Settled costs of a key's requests. */
export interface KeyUsage {
  /** Charged by OpenRouter. */
  readonly cost: Spending;
  /** Charged by providers for BYOK requests, in addition to `cost`. */
  readonly byok: Spending;
}

const NOTHING: Spending = { total: 0n, daily: 0n, weekly: 0n, monthly: 0n };
export const NO_USAGE: KeyUsage = { cost: NOTHING, byok: NOTHING };

/** Reads the settled usage of a key. @param now ms since 1970. */
export async function readKeyUsage({ reader }: Database, keyId: string, now: number): Promise<KeyUsage> {
  const date = new Date(now);
  const since = {
    total: 0,
    daily: floorToDay(now),
    weekly: now - ((now + WEEK_SHIFT_MS) % (7 * DAY_MS)),
    monthly: Date.UTC(date.getUTCFullYear(), date.getUTCMonth()),
  };
  const query = reader
    .selectFrom("rollups_daily")
    .where("key_id", "=", keyId)
    .select((eb) =>
      Object.entries(since).flatMap(([name, from]) =>
        (["cost", "byok"] as const).flatMap((charge) => {
          const amount = eb
            .case()
            .when("day", ">=", from)
            .then(eb.ref(`${charge}_nanodollars`))
            .end();
          const { billions, rest } = selectSumParts(amount);
          return [billions.as(`${charge}_${name}_billions`), rest.as(`${charge}_${name}`)];
        }),
      ),
    );
  const row: Readonly<Record<string, string | null>> = await query.executeTakeFirstOrThrow();
  const spent = (charge: "cost" | "byok"): Spending => {
    const sum = (name: keyof Spending): bigint =>
      joinSumParts(row[`${charge}_${name}_billions`] ?? null, row[`${charge}_${name}`] ?? null);
    return { total: sum("total"), daily: sum("daily"), weekly: sum("weekly"), monthly: sum("monthly") };
  };
  return { cost: spent("cost"), byok: spent("byok") };
}
