import { DAY_MS, HOUR_MS, MINUTE_MS } from "../durations.ts";
import type { Latency } from "./latency-counts.ts";

/** The length of each step of a time series, in ms. Steps start at multiples of their length since 1970 (UTC). */
export const STEP_MS = { minute: MINUTE_MS, hour: HOUR_MS, day: DAY_MS } as const;
export type Step = keyof typeof STEP_MS;

/** The dimensions by which a time series can be split. */
export const SERIES_DIMENSIONS = ["key", "group", "model", "provider", "endpoint"] as const;
export type SeriesDimension = (typeof SERIES_DIMENSIONS)[number];

/** The sums of each step, in the order of reports. */
export const SERIES_SUMS = [
  "requests",
  "failed_requests",
  "cancelled_requests",
  "unknown_requests",
  "prompt_tokens",
  "completion_tokens",
  "cost_nanodollars",
] as const;
export type SeriesSum = (typeof SERIES_SUMS)[number];

/** Selection and grouping of a time series. */
export interface TimeSeriesQuery {
  readonly step: Step;
  /** ms since 1970, the start of a step. */
  readonly from: number;
  /** ms since 1970, the start of a step; excluded. */
  readonly to: number;
  /** Undefined: only the series of all requests. */
  readonly by: SeriesDimension | undefined;
  readonly keyId: string | undefined;
  /** The group that the keys belong to now. */
  readonly groupId: string | undefined;
  /** The model id as forwarded, without the optional prefix. */
  readonly model: string | undefined;
  readonly provider: string | undefined;
  /** Path below the base URL, such as `chat/completions`. */
  readonly endpoint: string | undefined;
  /** Number of groups that have a series of their own; one more series has the rest. */
  readonly series: number;
}

/** The sums of one step or of a whole period, exact at any size. */
export interface SeriesSums {
  readonly sums: Readonly<Record<SeriesSum, bigint>>;
  /** Number of successful requests in each bucket, lowest bucket first. */
  readonly latencies: Readonly<Record<Latency, readonly number[]>>;
}

/** The sums of each step, and of all steps together. */
export interface SeriesPoints {
  readonly total: SeriesSums;
  readonly points: readonly SeriesSums[];
}

/** The series of one group. */
export interface GroupSeries extends SeriesPoints {
  /** Id of the key or group, or name of the model, provider or endpoint; empty: none. Undefined: all other groups together. */
  readonly id: string | undefined;
  /** Name of the key or group now. */
  readonly name: string | undefined;
}

/** A time series of all requests, and of their groups: the highest cost first, the rest last. */
export interface TimeSeries extends SeriesPoints {
  readonly query: TimeSeriesQuery;
  readonly groups: readonly GroupSeries[];
}
