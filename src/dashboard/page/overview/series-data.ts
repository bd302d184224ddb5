import type { SeriesSums, TimeSeries } from "../api/types.ts";
import type { ChartData, ChartSeries } from "../charts/chart-data.ts";
import { formatCompact, formatUsd } from "../format/numbers.ts";
import { formatDuration } from "../format/times.ts";
import { type DimensionInfo, toLineId, toLineLabel } from "./dimensions.ts";
import { STEP_MS } from "./period.ts";

type Base = Pick<ChartData, "times" | "stepMs">;

function toBase({ times, step }: TimeSeries): Base {
  return { times: times.map((at) => Date.parse(at)), stepMs: STEP_MS[step] };
}

/** Creates a series of one value of the sums. @param colour a token. */
function toSeries(
  series: TimeSeries,
  [id, label, colour]: readonly [id: string, label: string, colour: string],
  toValue: (sums: SeriesSums) => number | null,
): ChartSeries {
  return { id, label, colour, values: series.points.map(toValue), total: toValue(series.total) };
}

/** The spend of each step by the lines of a dimension. @param toColour returns the colour token of a line's id. */
export function toSpendChart(
  series: TimeSeries,
  dimension: DimensionInfo,
  toColour: (id: string) => string,
): ChartData {
  return {
    ...toBase(series),
    kind: "bars",
    format: formatUsd,
    series: series.data.map((line) => {
      const id = toLineId(line, dimension);
      return {
        id,
        label: toLineLabel(line, dimension),
        colour: toColour(id),
        values: line.points.map(({ cost_usd: cost }) => Number(cost)),
        total: Number(line.total.cost_usd),
      };
    }),
  };
}

/** The requests of each step by their result. */
export function toRequestsChart(series: TimeSeries): ChartData {
  return {
    ...toBase(series),
    kind: "bars",
    isCount: true,
    format: formatCompact,
    series: [
      toSeries(series, ["complete", "Complete", "--series-1"], (sums) =>
        Math.max(0, Number(sums.requests) - Number(sums.failed_requests) - Number(sums.cancelled_requests)),
      ),
      toSeries(series, ["cancelled", "Cancelled", "--series-5"], (sums) => Number(sums.cancelled_requests)),
      toSeries(series, ["failed", "Failed", "--bad"], (sums) => Number(sums.failed_requests)),
    ],
  };
}

/** The tokens of each step. */
export function toTokensChart(series: TimeSeries): ChartData {
  return {
    ...toBase(series),
    kind: "bars",
    isCount: true,
    format: formatCompact,
    series: [
      toSeries(series, ["prompt", "In", "--series-1"], (sums) => Number(sums.prompt_tokens)),
      toSeries(series, ["completion", "Out", "--series-3"], (sums) => Number(sums.completion_tokens)),
    ],
  };
}

/** The percentiles of a latency in each step. */
export function toLatencyChart(series: TimeSeries, name: "first_byte_ms" | "duration_ms"): ChartData {
  return {
    ...toBase(series),
    kind: "lines",
    format: formatDuration,
    series: [
      toSeries(series, ["p95", "p95", "--series-2"], (sums) => sums[name]?.p95 ?? null),
      {
        ...toSeries(series, ["p50", "p50", "--series-1"], (sums) => sums[name]?.p50 ?? null),
        isDashed: true,
      },
    ],
  };
}
