import { type Insertable, type Kysely, type RawBuilder, sql, type Transaction } from "kysely";
import type { RequestRow } from "./request-row.ts";
import type { DailyRollupTable, RollupTable, Tables } from "./tables.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
const GROUP = ["key_id", "model", "provider"] as const;

const SUMS = [
  "requests",
  "unknown_requests",
  "prompt_tokens",
  "completion_tokens",
  "cached_tokens",
  "reasoning_tokens",
  "cost_nanodollars",
] as const;

/** Sums of one hour, key, model and provider. */
export type RollupRow = Insertable<RollupTable>;
type DailyRow = Insertable<DailyRollupTable>;

/**
 * Adds requests that have just been settled, or given up, to the sums of their hour and day, key, model and provider.
 * Belongs in the transaction that settled them, so that each is counted once.
 */
export async function addToRollups(
  transaction: Transaction<Tables> | Kysely<Tables>,
  settled: readonly RequestRow[],
): Promise<void> {
  await addSums(transaction, mergeSums(settled.map(rollupOf)));
}

/** Adds sums of hours, and with them to those of days. @param hours no two of the same hour, key, model and provider. */
export async function addSums(
  transaction: Transaction<Tables> | Kysely<Tables>,
  hours: readonly RollupRow[],
): Promise<void> {
  if (hours.length === 0) return;
  const days = mergeSums(hours.map(({ hour, ...sums }) => ({ day: hour - (hour % DAY_MS), ...sums })));
  await transaction
    .insertInto("rollups")
    .values(hours)
    .onConflict((conflict) => conflict.columns(["hour", ...GROUP]).doUpdateSet(added("rollups")))
    .execute();
  await transaction
    .insertInto("rollups_daily")
    .values(days)
    .onConflict((conflict) => conflict.columns(["day", ...GROUP]).doUpdateSet(added("rollups_daily")))
    .execute();
}

/** Every sum with what is to be added. */
function added(table: "rollups" | "rollups_daily"): Record<string, RawBuilder<number>> {
  return Object.fromEntries(
    SUMS.map((sum) => [sum, sql<number>`${sql.ref(`${table}.${sum}`)} + ${sql.ref(`excluded.${sum}`)}`]),
  );
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

function rollupOf(row: RequestRow): RollupRow {
  return {
    hour: row.started_at - (row.started_at % HOUR_MS),
    key_id: row.key_id,
    // Any text can be asked for: only what upstream took for a model is worth a row for ever.
    model: row.generation_id === null ? "" : (row.model_sent ?? ""),
    provider: row.provider ?? "",
    requests: 1,
    unknown_requests: row.state === "unknown" ? 1 : 0,
    prompt_tokens: row.prompt_tokens ?? 0,
    completion_tokens: row.completion_tokens ?? 0,
    cached_tokens: row.cached_tokens ?? 0,
    reasoning_tokens: row.reasoning_tokens ?? 0,
    cost_nanodollars: row.cost_nanodollars ?? 0,
  };
}
