import { setImmediate } from "node:timers/promises";
import { z } from "zod";
import { computePercentile, type Latency } from "../metering/latency-counts.ts";
import {
  type GroupSeries,
  SERIES_SUMS,
  type SeriesDimension,
  type SeriesPoints,
  type SeriesSums,
  STEP_MS,
  type TimeSeries,
} from "../metering/series.ts";
import { formatUsd } from "../money.ts";
import { describeSum, describeUsd, formatCount } from "./sum-json.ts";
import { describeTimestamp, formatTimestamp, timestampSchema } from "./timestamp.ts";

// JSON of time series in the admin API.

const COUNTS = SERIES_SUMS.filter((sum) => sum !== "cost_nanodollars");
type Count = (typeof COUNTS)[number];

const PERCENTILE = "ms; interpolated in a histogram, so that 64000 means 64 s or more";

function describeLatency(meaning: string) {
  return z
    .object({
      p50: z.int().describe(`The median in ${PERCENTILE}`),
      p95: z.int().describe(`The 95th percentile in ${PERCENTILE}`),
    })
    .nullable()
    .describe(`${meaning}, of successful requests, in ms; null if there are none`);
}

function describeCount(sum: Count): ReturnType<typeof describeSum> {
  return sum === "requests"
    ? describeSum(sum, "Settled and unknown requests; by minute, also requests in flight and pending ones")
    : describeSum(sum);
}

const sumsSchema = z.object({
  ...(Object.fromEntries(COUNTS.map((sum) => [sum, describeCount(sum)])) as Record<
    Count,
    ReturnType<typeof describeSum>
  >),
  cost_usd: describeUsd("cost_nanodollars"),
  first_byte_ms: describeLatency("Time from the start of the request to the first byte of the response"),
  duration_ms: describeLatency("Time from the start of the request to its end"),
});
const points = z.array(sumsSchema).describe("The sums of each step, in the order of `times`");
const total = sumsSchema.describe("The sums of all steps");

/** A time series as JSON. */
export const timeSeriesSchema = z.object({
  from: describeTimestamp("Start of the first step"),
  to: describeTimestamp("End of the last step, not included"),
  step: z.enum(Object.keys(STEP_MS) as (keyof typeof STEP_MS)[]).describe("Length of each step"),
  times: z.array(timestampSchema).describe("Start of each step, ISO 8601, UTC"),
  total,
  points,
  data: z
    .array(
      z.object({
        key_id: z.string().optional().describe("Id of the key; with by=key"),
        key_name: z.string().optional().describe("Name of the key now; with by=key"),
        group_id: z
          .string()
          .nullable()
          .optional()
          .describe("Id of the group that the keys belong to now; null: none; with by=group"),
        group_name: z.string().nullable().optional().describe("Name of this group; null: none"),
        model: z
          .string()
          .optional()
          .describe("Id of the model, with by=model; empty: no model served the requests"),
        provider: z
          .string()
          .optional()
          .describe("Name of the provider, with by=provider; empty: the response named none"),
        endpoint: z
          .string()
          .optional()
          .describe("Path below the base URL, such as chat/completions; with by=endpoint"),
        is_other: z
          .boolean()
          .describe("Whether this is the sum of all groups that have no series of their own"),
        total,
        points,
      }),
    )
    .describe("With `by`: the groups of the highest cost, then one series of all other groups, if any"),
});

/**
 * Formats a time series in parts of one series each, so that no part takes long to format.
 * @returns the JSON text in parts.
 */
export async function* formatTimeSeries({ query, groups, ...all }: TimeSeries): AsyncGenerator<string, void> {
  const { step, from, to, by } = query;
  const stepMs = STEP_MS[step];
  const times = Array.from({ length: all.points.length }, (_, index) =>
    formatTimestamp(from + index * stepMs),
  );
  const head = { from: formatTimestamp(from), to: formatTimestamp(to), step, times, ...toPointsJson(all) };
  yield `${JSON.stringify(head).slice(0, -1)},"data":[`;
  let before = "";
  for (const group of groups) {
    // Requests of other clients are processed between two parts.
    await setImmediate();
    const fields = { ...(by && nameGroup(by, group)), is_other: group.id === undefined };
    yield before + JSON.stringify({ ...fields, ...toPointsJson(group) });
    before = ",\n";
  }
  yield "]}\n";
}

function nameGroup(by: SeriesDimension, { id, name }: GroupSeries): Readonly<Record<string, string | null>> {
  if (id === undefined) return {};
  // Keys from the environment, and requests without a key, have no row in the table of keys.
  if (by === "key") return { key_id: id, key_name: name ?? id.replace(/^env:/, "") };
  // A group that has been deleted has no name.
  if (by === "group")
    return id === "" ? { group_id: null, group_name: null } : { group_id: id, group_name: name ?? id };
  return { [by]: id };
}

function toPointsJson({ total: sums, points: steps }: SeriesPoints) {
  return { total: toSumsJson(sums), points: steps.map(toSumsJson) };
}

function toSumsJson({ sums, latencies }: SeriesSums): z.output<typeof sumsSchema> {
  const counts = Object.fromEntries(COUNTS.map((sum) => [sum, formatCount(sums[sum])]));
  return {
    ...(counts as Record<Count, number | string>),
    cost_usd: formatUsd(sums.cost_nanodollars),
    first_byte_ms: toPercentiles(latencies, "first_byte_ms"),
    duration_ms: toPercentiles(latencies, "total_ms"),
  };
}

function toPercentiles(
  latencies: SeriesSums["latencies"],
  latency: Latency,
): { p50: number; p95: number } | null {
  const [p50, p95] = [0.5, 0.95].map((share) => computePercentile(latencies[latency], share));
  return p50 == null || p95 == null ? null : { p50, p95 };
}
