import type { Insertable, Kysely, Transaction } from "kysely";
import { type Columns, createBulkInsert, createRowInsert } from "../../store/bulk-insert.ts";
import type { Database } from "../../store/database.ts";
import type { RequestRow } from "../record.ts";
import type { DailyRollupTable, RollupTable, Tables } from "../../store/tables.ts";
import { DAY_MS, HOUR_MS } from "../../durations.ts";

const SUMS = [
  "requests",
  "unknown_requests",
  "prompt_tokens",
  "completion_tokens",
  "cached_tokens",
  "cache_write_tokens",
  "reasoning_tokens",
  "cost_nanodollars",
  "byok_nanodollars",
] as const;

/** Sums of one hour, key, model and provider. */
export type RollupRow = Insertable<RollupTable>;
type DailyRow = Insertable<DailyRollupTable>;

const HOURLY = sumsOf<RollupRow>("rollups", "hour");
const DAILY = sumsOf<DailyRow>("rollups_daily", "day");

/** How rows are added to a table of sums. */
function sumsOf<Row extends RollupRow | DailyRow>(table: string, time: keyof Row & string) {
  const names = ["key_id", "model", "provider"] as const;
  const columns: Columns<Row> = [
    [time, "bigint"],
    ...names.map((name) => [name, "text"] as const),
    ...SUMS.map((name) => [name, "bigint"] as const),
  ];
  const added = SUMS.map((sum) => `${sum} = ${table}.${sum} + excluded.${sum}`).join(", ");
  const onConflict = `on conflict (${time}, ${names.join(", ")}) do update set ${added}`;
  return {
    columns,
    one: createRowInsert(table, columns, onConflict),
    all: createBulkInsert(table, columns, onConflict),
  };
}

/**
 * Adds requests that have just been settled, or given up, to the sums of their hour and day, key, model and provider.
 * Belongs in the transaction that settled them, so that each is counted once.
 * @param corrected rows as they were counted before, whose counts are taken back.
 */
export async function addToRollups(
  database: Database,
  transaction: Transaction<Tables>,
  settled: readonly RequestRow[],
  corrected: readonly RequestRow[] = [],
): Promise<void> {
  const wrong = corrected.map(rollupOf);
  await addSums(database, transaction, mergeSums([...settled.map(rollupOf), ...wrong.map(negate)]));
  await deleteEmptySums(transaction, wrong);
}

/** Deletes the groups that lost their last request: with another provider, or a generation, it is counted elsewhere. */
async function deleteEmptySums(
  transaction: Transaction<Tables>,
  groups: readonly RollupRow[],
): Promise<void> {
  for (const { hour, key_id, model, provider } of groups) {
    const group = { key_id, model, provider, requests: 0 };
    await transaction
      .deleteFrom("rollups")
      .where((eb) => eb.and({ ...group, hour }))
      .execute();
    await transaction
      .deleteFrom("rollups_daily")
      .where((eb) => eb.and({ ...group, day: dayOf(hour) }))
      .execute();
  }
}

/** Adds sums of hours, and with them to those of days. @param hours no two of the same hour, key, model and provider. */
export async function addSums(
  { sqlite }: Database,
  transaction: Kysely<Tables>,
  hours: readonly RollupRow[],
): Promise<void> {
  if (hours.length === 0) return;
  const days = mergeSums(hours.map(({ hour, ...sums }) => ({ day: dayOf(hour), ...sums })));
  if (sqlite) {
    for (const row of hours) HOURLY.one(sqlite).run(...HOURLY.columns.map(([name]) => row[name]));
    for (const row of days) DAILY.one(sqlite).run(...DAILY.columns.map(([name]) => row[name]));
  } else {
    await HOURLY.all(hours).execute(transaction);
    await DAILY.all(days).execute(transaction);
  }
}

/** One row per group, in the order of their keys: replicas that update the same rows in the same order never deadlock. */
function mergeSums<Row extends RollupRow | DailyRow>(rows: readonly Row[]): Row[] {
  const groups = new Map<string, Row>();
  for (const row of rows) {
    const time = "hour" in row ? row.hour : row.day;
    const group = `${time}\n${row.key_id}\n${row.model}\n${row.provider}`;
    const sums = groups.get(group);
    if (sums) for (const sum of SUMS) sums[sum] += row[sum];
    else groups.set(group, { ...row });
  }
  return [...groups].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}

function dayOf(hour: number): number {
  return hour - (hour % DAY_MS);
}

function negate(row: RollupRow): RollupRow {
  const negative = { ...row };
  for (const sum of SUMS) negative[sum] = -row[sum];
  return negative;
}

function rollupOf(row: RequestRow): RollupRow {
  return {
    hour: row.started_at - (row.started_at % HOUR_MS),
    key_id: row.key_id,
    model: wasServed(row) ? (row.forwarded_model ?? "") : "",
    provider: row.provider ?? "",
    requests: 1,
    unknown_requests: row.state === "unknown" ? 1 : 0,
    prompt_tokens: row.prompt_tokens ?? 0,
    completion_tokens: row.completion_tokens ?? 0,
    cached_tokens: row.cached_tokens ?? 0,
    cache_write_tokens: row.cache_write_tokens ?? 0,
    reasoning_tokens: row.reasoning_tokens ?? 0,
    cost_nanodollars: row.cost_nanodollars ?? 0,
    // Otherwise it is part of the cost.
    byok_nanodollars: row.is_byok === 1 ? (row.upstream_inference_nanodollars ?? 0) : 0,
  };
}

/** A client can name any text as a model: only those that upstream has served are kept in sums, which are never deleted. */
function wasServed({ generation_id, cost_source }: RequestRow): boolean {
  return generation_id !== null || cost_source === "stream" || cost_source === "body";
}
