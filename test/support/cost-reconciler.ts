import { DAY_MS } from "../../src/durations.ts";
import { onTestFinished } from "vitest";
import { CostReconciler, type CostReconcilerOptions } from "../../src/metering/cost-reconciler.ts";
import type { Database } from "../../src/store/database.ts";
import type { RequestRow } from "../../src/metering/record.ts";
import type { GenerationRecord } from "../../src/metering/cost-lookup.ts";
import { createRequestRow } from "./request-row.ts";
import { openTestDatabase } from "./test-database.ts";

/** The record that OpenRouter returns for every generation. */
export const GENERATION_RECORD: GenerationRecord = {
  costNanodollars: 7,
  tokens: { prompt_tokens: 1, completion_tokens: 2, reasoning_tokens: 0 },
  isByok: undefined,
  upstreamInferenceNanodollars: undefined,
  provider: "Some",
  model: "a/b-2026",
};

/** Creates a pending row whose lookup is due. */
export const createPendingRow = (id: string, fields: Partial<RequestRow> = {}): RequestRow =>
  createRequestRow(id, {
    state: "pending",
    generation_id: `gen-${id}`,
    ended_at: Date.now(),
    settle_at: Date.now(),
    ...fields,
  });

export const readRow = ({ kysely }: Database, id: string): Promise<RequestRow> =>
  kysely.selectFrom("requests").selectAll().where("id", "=", id).executeTakeFirstOrThrow();

/** Creates a reconciler on a new database. It runs only when the test starts it. */
export async function startReconciler(
  findGeneration: CostReconcilerOptions["findGeneration"],
  options: Partial<CostReconcilerOptions> = {},
) {
  const database = options.database ?? (await openTestDatabase());
  const unknown: string[] = [];
  const failures: unknown[] = [];
  const counts: number[] = [];
  const reconciler = new CostReconciler({
    database,
    findGeneration,
    settleAfterMs: 1_000,
    giveUpMs: DAY_MS,
    onUnknown: ({ id }) => unknown.push(id),
    onFailure: (error, count) => {
      failures.push(error);
      counts.push(count);
    },
    ...options,
  });
  onTestFinished(() => reconciler.stop());
  return { database, reconciler, unknown, failures, counts };
}

/** Makes the look-up of every pending row due. */
export const makeAllDue = ({ kysely }: Database): Promise<unknown> =>
  kysely.updateTable("requests").set({ settle_at: 0 }).where("state", "=", "pending").execute();
