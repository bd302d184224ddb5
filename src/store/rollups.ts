import type { Insertable, Kysely, Transaction } from "kysely";
import type { RequestRow } from "./request-row.ts";
import type { RollupTable, Tables } from "./tables.ts";

const HOUR_MS = 3_600_000;

const SUMS = [
  "requests",
  "unknown_requests",
  "prompt_tokens",
  "completion_tokens",
  "cached_tokens",
  "reasoning_tokens",
  "cost_nanodollars",
] as const;

type RollupRow = Insertable<RollupTable>;

/**
 * Adds requests that have just been settled, or given up, to the sums of their hour, key, model and provider. Belongs in
 * the transaction that settled them, so that each is counted once.
 */
export async function addToRollups(
  transaction: Transaction<Tables> | Kysely<Tables>,
  settled: readonly RequestRow[],
): Promise<void> {
  if (settled.length === 0) return;
  await transaction
    .insertInto("rollups")
    .values(sumUp(settled))
    .onConflict((conflict) =>
      conflict
        .columns(["hour", "key_id", "model", "provider"])
        .doUpdateSet((eb) =>
          Object.fromEntries(SUMS.map((sum) => [sum, eb(`rollups.${sum}`, "+", eb.ref(`excluded.${sum}`))])),
        ),
    )
    .execute();
}

/** One row per group, in the order of their keys: replicas that update the same rows in the same order never deadlock. */
function sumUp(settled: readonly RequestRow[]): RollupRow[] {
  const groups = new Map<string, RollupRow>();
  for (const row of settled) {
    const one = rollupOf(row);
    const group = `${one.hour}\n${one.key_id}\n${one.model}\n${one.provider}`;
    const sums = groups.get(group);
    if (sums) for (const sum of SUMS) sums[sum] += one[sum];
    else groups.set(group, one);
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
