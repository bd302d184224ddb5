import { HOUR_MS, MINUTE_MS } from "../../src/durations.ts";
import type { RequestRow } from "../../src/metering/record.ts";
import {
  type GroupSeries,
  SERIES_SUMS,
  type SeriesPoints,
  type SeriesSum,
  type SeriesSums,
  STEP_MS,
  type TimeSeriesQuery,
} from "../../src/metering/series.ts";
import { createSettledRow, NOVEMBER } from "./ledger-rows.ts";

const OUTCOMES = [
  "complete",
  "complete",
  "upstream_error",
  "client_gone",
  "rejected",
  "interrupted",
] as const;
const PROVIDERS = ["Google", "OpenAI", null];

/** The period of {@link generateSeriesRows}. */
export const SERIES_PERIOD = { from: NOVEMBER, to: NOVEMBER + 3 * HOUR_MS };

/** A query of a time series without filters. `fields` replace its members. */
export function createSeriesQuery(fields: Partial<TimeSeriesQuery> = {}): TimeSeriesQuery {
  return {
    step: "minute",
    ...SERIES_PERIOD,
    by: undefined,
    keyId: undefined,
    groupId: undefined,
    model: undefined,
    provider: undefined,
    endpoint: undefined,
    series: 8,
    ...fields,
  };
}

/** Generates final rows with all outcomes, in the hours before, in and after {@link SERIES_PERIOD}. */
export function generateSeriesRows(): RequestRow[] {
  return Array.from({ length: 600 }, (_, index) => {
    const isUnknown = index % 13 === 0;
    return createSettledRow(
      Math.floor((index / 600) * 5 * HOUR_MS) - HOUR_MS,
      {
        key_id: `key_${index % 7}`,
        forwarded_model: `vendor/model-${index % 5}`,
        provider: PROVIDERS[index % 3] ?? null,
        endpoint: index % 2 === 0 ? "chat/completions" : "embeddings",
        outcome: OUTCOMES[index % OUTCOMES.length] ?? null,
        status: index % 11 === 0 ? 429 : 200,
        state: isUnknown ? "unknown" : "settled",
        cost_source: isUnknown ? "unknown" : "stream",
        cost_nanodollars: isUnknown ? null : (index * 7_919) % 10_007,
        prompt_tokens: index % 17 === 0 ? null : index,
        first_byte_ms: index % 19 === 0 ? null : (index * 37) % 3_000,
        total_ms: (index * 331) % 90_000,
        ...(index % 23 === 0 && { generation_id: null, cost_source: "none", cost_nanodollars: 0 }),
      },
      index,
    );
  });
}

/** The sums of a step as plain numbers: those of {@link SERIES_SUMS}, and the number of latencies up to 1 s and of all. */
type PlainSums = readonly number[];

const isGood = ({ outcome, status }: RequestRow): boolean => outcome === "complete" && status < 400;

function toPlainSums(row: RequestRow): PlainSums {
  const sums: Record<SeriesSum, number> = {
    requests: 1,
    failed_requests: Number(!isGood(row) && row.outcome !== "client_gone" && row.outcome !== null),
    cancelled_requests: Number(row.outcome === "client_gone"),
    unknown_requests: Number(row.state === "unknown"),
    prompt_tokens: row.prompt_tokens ?? 0,
    completion_tokens: row.completion_tokens ?? 0,
    cost_nanodollars: row.cost_nanodollars ?? 0,
  };
  const latencies = [row.first_byte_ms, row.total_ms].flatMap((ms) => [
    Number(isGood(row) && ms !== null && ms <= 1_000),
    Number(isGood(row) && ms !== null),
  ]);
  return [...SERIES_SUMS.map((sum) => sums[sum]), ...latencies];
}

/** Computes the points that a series of these rows must have, without empty ones, by the start of their step. */
export function sumSeriesRows(
  rows: readonly RequestRow[],
  { step, from, to }: TimeSeriesQuery,
): Record<string, PlainSums> {
  const points: Record<string, PlainSums> = {};
  for (const row of rows.filter(({ started_at: at }) => at >= from && at < to)) {
    const start = row.started_at - (row.started_at % STEP_MS[step]);
    const sums = toPlainSums(row);
    points[start] = sums.map((sum, index) => sum + (points[start]?.[index] ?? 0));
  }
  return points;
}

function flatten({ sums, latencies }: SeriesSums): PlainSums {
  const counts = Object.values(latencies).flatMap((buckets) => [
    buckets.slice(0, 4).reduce((sum, count) => sum + count, 0),
    buckets.reduce((sum, count) => sum + count, 0),
  ]);
  return [...SERIES_SUMS.map((sum) => Number(sums[sum])), ...counts];
}

/** Returns the points of a series in the format of {@link sumSeriesRows}. */
export function collectPoints(
  { points }: SeriesPoints,
  { step, from }: TimeSeriesQuery,
): Record<string, PlainSums> {
  const all = points.map((point, index) => [from + index * STEP_MS[step], flatten(point)] as const);
  return Object.fromEntries(all.filter(([, [requests = 0]]) => requests > 0));
}

/** Returns the number of requests and the cost of each series. */
export function listGroups(groups: readonly GroupSeries[]): unknown[] {
  return groups.map(({ id, name, total }) => [
    id,
    name,
    Number(total.sums.requests),
    Number(total.sums.cost_nanodollars),
  ]);
}

/** The time of a minute in {@link SERIES_PERIOD}, in ms after its start. */
export const atMinute = (minute: number): number => minute * MINUTE_MS;
