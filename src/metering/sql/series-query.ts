import { type CompiledQuery, type RawBuilder, sql } from "kysely";
import type { Database } from "../../store/database.ts";
import { selectIntegerParts } from "../../store/exact-sums.ts";
import { LATENCY_COUNTS, selectLatencyCounts } from "../latency-counts.ts";
import { IS_CANCELLED, IS_FAILED } from "../request-results.ts";
import { STATE, toRowIdPrefix } from "../record.ts";
import {
  SERIES_SUMS,
  type SeriesDimension,
  type SeriesSum,
  STEP_MS,
  type TimeSeriesQuery,
} from "../series.ts";
import { WAS_SERVED } from "./served-requests.ts";
import { IS_UNFINISHED } from "./state-conditions.ts";

// The query of a time series: a first part sums the rows of a source by step and group, a second part ranks the groups, and the
// last part merges all groups after the first ones. The database sends only the steps of the first groups.

/** A row of the query: the sums of one step and one group, or of one step and all other groups. */
export type SeriesRow = Readonly<Record<LatencyColumn, number>> &
  Readonly<Record<`${SeriesSum}_billions` | `${SeriesSum}_rest`, string>> & {
    /** Start of the step, in ms since 1970. */
    readonly start: number;
    /** Rank of the group, from 1; null: all groups that are not among the first. */
    readonly place: number | null;
    readonly name: string | null;
  };
type LatencyColumn = (typeof LATENCY_COUNTS)[number];

/** A table from which series are computed. */
interface Source {
  readonly table: "requests" | "rollups" | "rollups_daily";
  readonly start: RawBuilder<unknown>;
  readonly sums: RawBuilder<unknown>;
  readonly model: RawBuilder<unknown>;
  readonly isInPeriod: RawBuilder<unknown>;
}

/** Compiles the query whose rows are the steps of the first groups and of the rest. */
export function compileSeriesQuery(
  reports: Database["reports"],
  query: TimeSeriesQuery,
): CompiledQuery<SeriesRow> {
  const source = query.step === "minute" ? selectRequests(query) : selectRollups(query);
  const { table } = source;
  const members =
    query.by === "group"
      ? sql`left join keys as members on members.id = ${sql.ref(`${table}.key_id`)}`
      : sql``;
  // A float represents costs up to 9 million dollars exactly. Larger costs are rounded, which is sufficient for sorting.
  const cost = sql`sum(cast(cost_nanodollars_billions as double precision) * 1e9 + cost_nanodollars_rest)`;
  return sql<SeriesRow>`
    with cells as materialized (
      select ${source.start} as start, ${selectName(source, query.by)} as name, ${source.sums}
      from ${sql.table(table)} ${members}
      where ${source.isInPeriod} ${filterSource(source, query)}
      group by 1, 2
    ), first_groups as (
      select name, row_number() over (order by ${cost} desc, sum(requests_rest) desc, name) as place
      from cells group by name order by place limit ${query.by === undefined ? 1 : query.series}
    )
    select cells.start, first_groups.place, first_groups.name, ${sumCells()}
    from cells left join first_groups on first_groups.name = cells.name
    group by cells.start, first_groups.place, first_groups.name`.compile(reports);
}

/** Selects the name of the group of a row; never null. */
function selectName({ table, model }: Source, by: SeriesDimension | undefined): RawBuilder<unknown> {
  if (by === undefined) return sql`''`;
  if (by === "group") return sql`coalesce(members.group_id, '')`;
  if (by === "model") return model;
  return sql`coalesce(${sql.ref(`${table}.${by === "key" ? "key_id" : by}`)}, '')`;
}

function filterSource({ table, model }: Source, query: TimeSeriesQuery): RawBuilder<unknown> {
  const key = sql.ref(`${table}.key_id`);
  const conditions = [
    ...(query.keyId === undefined ? [] : [sql`and ${key} = ${query.keyId}`]),
    ...(query.groupId === undefined
      ? []
      : [sql`and ${key} in (select id from keys where group_id = ${query.groupId})`]),
    ...(query.model === undefined ? [] : [sql`and ${model} = ${query.model}`]),
    ...(["provider", "endpoint"] as const).flatMap((column) =>
      query[column] === undefined ? [] : [sql`and ${sql.ref(`${table}.${column}`)} = ${query[column]}`],
    ),
  ];
  return sql.join(conditions, sql` `);
}

/** Adds up the cells of a group. Sums are in two parts, because they may exceed 64 bits. */
function sumCells(): RawBuilder<unknown> {
  const parts = SERIES_SUMS.flatMap((sum) =>
    [`${sum}_billions`, `${sum}_rest`].map(
      (part) => sql`cast(sum(cells.${sql.ref(part)}) as text) as ${sql.ref(part)}`,
    ),
  );
  return sql.join([
    ...parts,
    ...LATENCY_COUNTS.map((name) => sql`sum(cells.${sql.ref(name)}) as ${sql.ref(name)}`),
  ]);
}

function selectRollups({ step, from, to }: TimeSeriesQuery): Source {
  const [table, time] =
    step === "hour" ? (["rollups", "hour"] as const) : (["rollups_daily", "day"] as const);
  const start = sql.ref(`${table}.${time}`);
  const column = (name: string): RawBuilder<unknown> => sql`${sql.ref(`${table}.${name}`)}`;
  return {
    table,
    start: sql`${start}`,
    model: column("model"),
    isInPeriod: sql`${start} >= ${from} and ${start} < ${to}`,
    sums: sql.join([
      ...SERIES_SUMS.map((sum) => selectParts(sum, column(sum))),
      ...LATENCY_COUNTS.map((name) => sql`sum(${column(name)}) as ${sql.ref(name)}`),
    ]),
  };
}

/** Rows that are not final count as requests. Their costs and tokens are added once they are known. */
function selectRequests({ from, to }: TimeSeriesQuery): Source {
  const started = sql.ref("requests.started_at");
  const amounts = ["prompt_tokens", "completion_tokens", "cost_nanodollars"] as const;
  return {
    table: "requests",
    start: sql`${started} - ${started} % ${sql.lit(STEP_MS.minute)}`,
    // As in the sums: a client can send any text as model, so a model that did not serve the request is not shown.
    model: sql`(case when ${IS_UNFINISHED} or ${WAS_SERVED} then coalesce(requests.forwarded_model, '') else '' end)`,
    isInPeriod: sql`requests.id >= ${toRowIdPrefix(from)} and requests.id < ${toRowIdPrefix(to)}`,
    sums: sql.join([
      count("requests", sql`true`),
      count("failed_requests", IS_FAILED),
      count("cancelled_requests", IS_CANCELLED),
      count("unknown_requests", sql`requests.state = ${sql.lit(STATE.unknown)}`),
      ...amounts.map((sum) => selectParts(sum, sql`coalesce(${sql.ref(`requests.${sum}`)}, 0)`)),
      selectLatencyCounts(),
    ]),
  };
}

function count(sum: SeriesSum, condition: RawBuilder<unknown>): RawBuilder<unknown> {
  const [billions, rest] = [sql.ref(`${sum}_billions`), sql.ref(`${sum}_rest`)];
  return sql`0 as ${billions}, count(*) filter (where ${condition}) as ${rest}`;
}

function selectParts(sum: SeriesSum, column: RawBuilder<unknown>): RawBuilder<unknown> {
  const { billions, rest } = selectIntegerParts(column);
  return sql`${billions} as ${sql.ref(`${sum}_billions`)}, ${rest} as ${sql.ref(`${sum}_rest`)}`;
}
