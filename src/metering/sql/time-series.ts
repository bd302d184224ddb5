import type { Database } from "../../store/database.ts";
import { joinSumParts } from "../../store/exact-sums.ts";
import { type Latency, LATENCY_BUCKETS } from "../latency-counts.ts";
import {
  type GroupSeries,
  SERIES_SUMS,
  type SeriesPoints,
  type SeriesSum,
  type SeriesSums,
  STEP_MS,
  type TimeSeries,
  type TimeSeriesQuery,
} from "../series.ts";
import { compileSeriesQuery, type SeriesRow } from "./series-query.ts";

/** Rows per batch: few enough that adding them up does not delay requests noticeably. */
const BATCH_ROWS = 200;
const LATENCIES = Object.keys(LATENCY_BUCKETS) as Latency[];

/**
 * Reads a time series. Series by the minute are computed from the rows of the ledger, and contain requests in flight. Series by
 * the hour and by the day are computed from sums, and contain settled and unknown requests.
 */
export async function readTimeSeries(database: Database, query: TimeSeriesQuery): Promise<TimeSeries> {
  const { reports } = database;
  const all = new SeriesBuilder(query);
  const groups = new Map<number | null, { id: string | undefined; series: SeriesBuilder }>();
  const batches = reports.getExecutor().stream<SeriesRow>(compileSeriesQuery(reports, query), BATCH_ROWS, {});
  for await (const { rows } of batches)
    for (const row of rows) {
      all.add(row);
      if (query.by === undefined) continue;
      const group = groups.get(row.place) ?? { id: row.name ?? undefined, series: new SeriesBuilder(query) };
      groups.set(row.place, group);
      group.series.add(row);
    }
  const sorted = [...groups].toSorted(([a], [b]) => (a ?? Infinity) - (b ?? Infinity));
  const ids = sorted.flatMap(([, { id }]) => id ?? []);
  const names = await readNames(database, query, ids);
  return {
    query,
    ...all.build(),
    groups: sorted.map(([, { id, series }]): GroupSeries => ({
      id,
      name: id === undefined ? undefined : names.get(id),
      ...series.build(),
    })),
  };
}

/** Reads the current names of keys or groups. Those without a row have none. */
async function readNames(
  { reader }: Database,
  { by }: TimeSeriesQuery,
  ids: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if ((by !== "key" && by !== "group") || ids.length === 0) return new Map();
  const table = by === "key" ? "keys" : "key_groups";
  const rows = await reader.selectFrom(table).select(["id", "name"]).where("id", "in", ids).execute();
  return new Map(rows.map(({ id, name }) => [id, name]));
}

interface Accumulator extends SeriesSums {
  readonly sums: Record<SeriesSum, bigint>;
  readonly latencies: Record<Latency, number[]>;
}

function createAccumulator(): Accumulator {
  return {
    sums: Object.fromEntries(SERIES_SUMS.map((sum) => [sum, 0n])) as Accumulator["sums"],
    latencies: Object.fromEntries(
      LATENCIES.map((latency) => [latency, LATENCY_BUCKETS[latency].map(() => 0)]),
    ) as Accumulator["latencies"],
  };
}

/** The sums of a step without requests. */
const EMPTY: SeriesSums = createAccumulator();

function addRow({ sums, latencies }: Accumulator, row: SeriesRow): void {
  for (const sum of SERIES_SUMS) sums[sum] += joinSumParts(row[`${sum}_billions`], row[`${sum}_rest`]);
  for (const latency of LATENCIES)
    for (const [index, name] of LATENCY_BUCKETS[latency].entries())
      (latencies[latency][index] as number) += row[name];
}

/** Adds rows to the steps of one series. */
class SeriesBuilder {
  readonly #from: number;
  readonly #stepMs: number;
  readonly #total = createAccumulator();
  readonly #points: (Accumulator | undefined)[];

  constructor({ step, from, to }: TimeSeriesQuery) {
    this.#from = from;
    this.#stepMs = STEP_MS[step];
    this.#points = Array.from({ length: (to - from) / this.#stepMs });
  }

  add(row: SeriesRow): void {
    const index = (row.start - this.#from) / this.#stepMs;
    addRow((this.#points[index] ??= createAccumulator()), row);
    addRow(this.#total, row);
  }

  build(): SeriesPoints {
    return { total: this.#total, points: this.#points.map((point) => point ?? EMPTY) };
  }
}
