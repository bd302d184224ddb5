import { DAY_MS, HOUR_MS } from "../../src/durations.ts";
import type { Database } from "../../src/store/database.ts";
import { LATENCY_COUNTS, type LatencyCount } from "../../src/metering/latency-counts.ts";
import { addSums, type RollupRow } from "../../src/metering/sql/rollups.ts";
import {
  DIMENSIONS,
  type Dimension,
  reportUsage,
  type UsageLine,
  type UsageQuery,
  type UsageSums,
} from "../../src/metering/sql/report.ts";
import { SUMS } from "../../src/metering/record.ts";
import { NOVEMBER } from "./ledger-rows.ts";

const BATCH = 1_000;

type Rollup = RollupRow;

const KEYS = ["key_a", "key_b", "env:team", "anonymous"];
export const MODELS = ["openai/gpt-4o-mini", "google/gemini-3-flash-preview", ""];
const PROVIDERS = ["OpenAI", "Google"];
const ENDPOINTS = ["chat/completions", "embeddings"];
/** The dimensions of the hourly rollups. */
export const HOURLY_DIMENSIONS: Dimension[] = DIMENSIONS.filter((dimension) => dimension !== "end_user");
/** All combinations of these dimensions. */
export const GROUPINGS: Dimension[][] = Array.from(
  { length: 2 ** HOURLY_DIMENSIONS.length - 1 },
  (_, index) => HOURLY_DIMENSIONS.filter((_dimension, bit) => (index + 1) & (1 << bit)),
);

/**
 * Creates a rollup.
 * @param group key, model, provider and endpoint.
 * @param seed the number of requests in the rollup. It determines the other sums.
 */
export function createRollup(hour: number, group: readonly string[], seed = 1): Rollup {
  const [key_id = "", model = "", provider = "", endpoint = "chat/completions"] = group;
  return {
    hour,
    key_id,
    model,
    provider,
    endpoint,
    requests: seed,
    unknown_requests: seed % 3,
    prompt_tokens: seed * 101,
    completion_tokens: seed * 37,
    cached_tokens: seed % 11,
    cache_write_tokens: seed % 17,
    reasoning_tokens: seed % 13,
    prompt_audio_tokens: seed % 19,
    failed_requests: seed % 5,
    cancelled_requests: seed % 7,
    ...createLatencyCounts(seed),
    cost_nanodollars: seed * 1_234_567,
    byok_nanodollars: seed * 7_654_321,
  };
}

function createLatencyCounts(seed: number): Record<LatencyCount, number> {
  const counts = LATENCY_COUNTS.map((name, index) => [name, (seed * (index + 3)) % 23]);
  return Object.fromEntries(counts) as Record<LatencyCount, number>;
}

/** Generates hourly rollups for four days. A report of the days in the middle must ignore the other rollups. */
export function generateRollups(): Rollup[] {
  const rows: Rollup[] = [];
  for (let hour = NOVEMBER - DAY_MS; hour < NOVEMBER + 3 * DAY_MS; hour += HOUR_MS)
    for (const key of KEYS)
      for (const model of MODELS)
        for (const provider of PROVIDERS)
          for (const endpoint of ENDPOINTS)
            rows.push(createRollup(hour, [key, model, provider, endpoint], (rows.length * 7_919) % 1_000));
  return rows;
}

export async function insertRollups(database: Database, rows: readonly Rollup[]): Promise<void> {
  await database.kysely.transaction().execute(async (transaction) => {
    for (let at = 0; at < rows.length; at += BATCH)
      await addSums(database, transaction, rows.slice(at, at + BATCH));
  });
}

/** Computes the sums that a report of these rows must have. */
export function sumRollups(rows: readonly Rollup[], by: readonly Dimension[]): Record<string, number[]> {
  const groups: Record<string, number[]> = {};
  for (const row of rows) {
    const day = new Date(row.hour).toISOString().slice(0, 10);
    const { model, provider, endpoint } = row;
    const values = { key: row.key_id, group: "", model, provider, endpoint, end_user: "", day };
    const group = by.map((dimension) => values[dimension]).join("|");
    const sums = SUMS.map((name) => row[name]);
    groups[group] = sums.map((sum, index) => sum + (groups[group]?.[index] ?? 0));
  }
  return groups;
}

/** A report that was read to its end. */
interface ReadReport {
  readonly by: readonly Dimension[];
  readonly lines: readonly UsageLine[];
  readonly total: UsageSums;
  readonly pendingRequests: number;
}

/** Reads a report to its end. */
export async function readReport(database: Database, query: UsageQuery): Promise<ReadReport> {
  const report = await reportUsage(database, query);
  const lines = (await Array.fromAsync(report.pages)).flat();
  return { by: report.by, lines, total: report.total(), pendingRequests: report.pendingRequests };
}

/** Returns the sums of a report in the format of `sumRollups`. */
export function collectReportedSums({ lines, by }: ReadReport): Record<string, number[]> {
  return Object.fromEntries(
    lines.map((line) => {
      const { keyId: key, model, provider, endpoint, day } = line;
      const values = {
        key,
        group: line.groupId ?? "",
        model,
        provider,
        endpoint,
        end_user: line.endUser,
        day,
      };
      return [by.map((dimension) => values[dimension]).join("|"), listSums(line)];
    }),
  );
}

export function listSums(sums: UsageSums): number[] {
  return SUMS.map((name) => Number(sums[name]));
}
