import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { TimeSeries } from "../api/types.ts";
import { useApi } from "../api/use-api.ts";
import { ChartCard } from "../charts/chart-card.tsx";
import { Choices } from "../components/controls.tsx";
import { Page } from "../components/layout.tsx";
import { Loaded } from "../components/states.tsx";
import { Breakdown } from "./breakdown.tsx";
import { type DimensionInfo, DIMENSIONS, toDimension, toLineId } from "./dimensions.ts";
import { Failures } from "./failures.tsx";
import { FilterChips, PeriodChoices } from "./filter-bar.tsx";
import { NoRequests } from "./first-request.tsx";
import { type Period, toIso, toPreviousLabel, toPreviousPeriod } from "./period.ts";
import { toLatencyChart, toRequestsChart, toSpendChart, toTokensChart } from "./series-data.ts";
import { Summary } from "./summary.tsx";
import { SERIES_MAX, useColours } from "./use-colours.ts";
import { type Filter, useFilter } from "./use-filter.ts";

/** The charts of this page share their crosshair. */
const CHARTS = "overview";

/** Spend, requests, errors and latency over time. */
export function OverviewPage(): JSX.Element {
  const filter = useFilter();
  const dimension = toDimension(filter.by);
  const current = useApi<TimeSeries>("/timeseries", {
    ...toParams(filter.period, filter),
    by: dimension.id,
    series: SERIES_MAX,
  });
  const previous = useApi<TimeSeries>("/timeseries", toParams(toPreviousPeriod(filter.period), filter), {
    isLive: false,
  });
  return (
    <Page title="Overview" actions={<PeriodChoices filter={filter} />}>
      <div class="stack overview" aria-busy={current.isPlaceholderData}>
        <FilterChips filter={filter} />
        <Loaded query={current} lines={12}>
          {(series) => (
            <>
              <Summary
                than={toPreviousLabel(filter.period)}
                total={series.total}
                previous={previous.isPlaceholderData ? undefined : previous.data?.total}
              />
              {Number(series.total.requests) === 0 ? (
                <NoRequests isFiltered={Object.keys(filter.values).length > 0} />
              ) : (
                <Series filter={filter} series={series} />
              )}
            </>
          )}
        </Loaded>
      </div>
    </Page>
  );
}

function toParams({ step, from, to }: Period, { values }: Filter): Record<string, string | undefined> {
  return { step, from: toIso(from), to: toIso(to), ...values };
}

/** The charts and the breakdown of a series. */
function Series({ filter, series }: { filter: Filter; series: TimeSeries }): JSX.Element {
  const dimension = findDimension(series, toDimension(filter.by));
  const toColour = useColours(
    dimension.id,
    series.data.map((line) => toLineId(line, dimension)),
  );
  const charts = useMemo(
    () => ({
      spend: toSpendChart(series, dimension, toColour),
      requests: toRequestsChart(series),
      tokens: toTokensChart(series),
      firstByte: toLatencyChart(series, "first_byte_ms"),
      duration: toLatencyChart(series, "duration_ms"),
    }),
    // The colours are a function of the series.
    [series, dimension],
  );
  const common = { group: CHARTS, onZoom: filter.zoom };
  return (
    <>
      <div class="overview-top">
        <ChartCard
          title="Spend"
          size="large"
          data={charts.spend}
          {...common}
          actions={<SpendChoices filter={filter} />}
        />
        <Failures filter={filter} />
      </div>
      <Breakdown
        filter={filter}
        dimension={dimension}
        lines={series.data}
        total={series.total}
        toColour={toColour}
      />
      <div class="grid overview-charts">
        <ChartCard title="Requests" data={charts.requests} {...common} />
        <ChartCard title="Tokens" data={charts.tokens} {...common} />
        <ChartCard title="Time to first byte" data={charts.firstByte} {...common} />
        <ChartCard title="Duration" data={charts.duration} {...common} />
      </div>
    </>
  );
}

function SpendChoices({ filter }: { filter: Filter }): JSX.Element {
  return (
    <Choices
      label="Spend by"
      value={toDimension(filter.by).id}
      options={DIMENSIONS.map(({ id, singular }) => [id, singular] as const)}
      onChange={filter.setBy}
    />
  );
}

/** Returns the dimension of a response. It is not the chosen one while the response for that loads. */
function findDimension({ data }: TimeSeries, chosen: DimensionInfo): DimensionInfo {
  const line = data.find(({ is_other: isRest }) => !isRest);
  if (!line) return chosen;
  return DIMENSIONS.find(({ id }) => (id === "key" || id === "group" ? `${id}_id` : id) in line) ?? chosen;
}
