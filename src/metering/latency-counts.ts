import { type RawBuilder, sql } from "kysely";
import { BIGINT, type Column } from "../store/columns.ts";
import type { RequestRow } from "./record.ts";
import { IS_SUCCESSFUL, isSuccessful } from "./request-results.ts";

// Histograms of the latencies of successful requests. The hourly and daily sums have one column for each bucket, so that
// percentiles of any period can be computed from sums.

/** The upper bounds of the buckets, in ms, included. The last bucket has no upper bound. */
export const LATENCY_BOUNDS_MS = [125, 250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000] as const;

/** The measured latencies: the column of a record, and the prefix of the columns of its histogram. */
const LATENCIES = { first_byte_ms: "first_byte", total_ms: "total" } as const;
export type Latency = keyof typeof LATENCIES;

type Prefix = (typeof LATENCIES)[Latency];
/** The column of one bucket. A request is counted in one bucket of each latency. */
export type LatencyCount = `${Prefix}_le_${(typeof LATENCY_BOUNDS_MS)[number]}` | `${Prefix}_above`;

function listBuckets(prefix: Prefix): readonly LatencyCount[] {
  return [...LATENCY_BOUNDS_MS.map((bound) => `${prefix}_le_${bound}` as const), `${prefix}_above` as const];
}

/** The columns of each histogram, lowest bucket first. */
export const LATENCY_BUCKETS: Readonly<Record<Latency, readonly LatencyCount[]>> = {
  first_byte_ms: listBuckets(LATENCIES.first_byte_ms),
  total_ms: listBuckets(LATENCIES.total_ms),
};

/** The columns of all histograms. */
export const LATENCY_COUNTS: readonly LatencyCount[] = Object.values(LATENCY_BUCKETS).flat();

/** The columns of the histograms in a table of sums. */
export const LATENCY_COLUMNS = Object.fromEntries(LATENCY_COUNTS.map((name) => [name, BIGINT])) as Record<
  LatencyCount,
  Column<number>
>;

/** Returns what a record adds to the histograms, without the buckets to which it adds nothing. */
export function toLatencyCounts(row: RequestRow): Partial<Record<LatencyCount, 1>> {
  if (!isSuccessful(row)) return {};
  const counts: Partial<Record<LatencyCount, 1>> = {};
  const { first_byte_ms: firstByteMs, total_ms: totalMs } = row;
  if (firstByteMs !== null) counts[findBucket("first_byte_ms", firstByteMs)] = 1;
  if (totalMs !== null) counts[findBucket("total_ms", totalMs)] = 1;
  return counts;
}

function findBucket(latency: Latency, ms: number): LatencyCount {
  let index = 0;
  while (ms > (LATENCY_BOUNDS_MS[index] ?? Infinity)) index++;
  return LATENCY_BUCKETS[latency][index] as LatencyCount;
}

/** Selects the number of records in each bucket of a query on `requests`. */
export function selectLatencyCounts(): RawBuilder<unknown> {
  const counts = Object.entries(LATENCY_BUCKETS).flatMap(([latency, buckets]) =>
    buckets.map((name, index) => {
      const conditions = [
        ...(index > 0 ? [`requests.${latency} > ${LATENCY_BOUNDS_MS[index - 1]}`] : []),
        ...(index < LATENCY_BOUNDS_MS.length ? [`requests.${latency} <= ${LATENCY_BOUNDS_MS[index]}`] : []),
      ];
      return sql`count(*) filter (where ${IS_SUCCESSFUL} and ${sql.raw(conditions.join(" and "))}) as ${sql.ref(name)}`;
    }),
  );
  return sql.join(counts);
}

/**
 * Estimates a percentile from a histogram, by linear interpolation inside its bucket.
 * @param counts number of requests in each bucket, lowest bucket first. @param share of the requests, such as 0.95.
 * @returns ms; the highest bound if the percentile is above it; null without requests.
 */
export function computePercentile(counts: readonly number[], share: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  const rank = share * total;
  let [before, lower] = [0, 0];
  for (const [index, upper] of LATENCY_BOUNDS_MS.entries()) {
    const count = counts[index] ?? 0;
    if (count > 0 && before + count >= rank)
      return Math.round(lower + ((upper - lower) * (rank - before)) / count);
    before += count;
    lower = upper;
  }
  return lower;
}
