import process from "node:process";
import { DAY_MS } from "../durations.ts";
import { GatewayError } from "../errors.ts";
import { compareDay, type DayComparison, listComparableDays } from "../metering/activity-comparison.ts";
import { readDeletedBefore } from "../metering/sql/retention.ts";
import type { Period } from "../metering/sql/unknown-rows.ts";
import { toDayJson, toDayRows, toDifferingRows, toTotalJson } from "../presentation/activity-json.ts";
import { formatTable } from "../presentation/table.ts";
import { createActivityReader, findKeyHash } from "../upstream/activity.ts";
import type { Upstream } from "../upstream/openrouter.ts";
import type { CommandSession } from "./session.ts";

/** How to compare a period with OpenRouter's activity. */
export interface ComparisonOptions {
  readonly upstream: Upstream;
  readonly apiKey: string;
  readonly period: Period;
  /** Whether to compare with the requests of all keys of the account. */
  readonly usesAllKeys: boolean;
}

/** A comparison as JSON and as text. */
export interface ComparisonResult {
  readonly json: unknown;
  readonly text: string;
}

const NEEDS_KEY =
  "With OPENROUTER_MANAGEMENT_KEY, this command also compares the ledger with OpenRouter's activity of each day.\n";

/**
 * Compares the ledger with OpenRouter's activity, if the configuration has a management key. If OpenRouter does not respond, the
 * result contains the error, and the exit code of the process is set to 1.
 */
export async function compareActivity(
  session: CommandSession,
  options: ComparisonOptions,
): Promise<ComparisonResult> {
  const { managementKey } = session.config.account;
  if (managementKey === undefined) return { json: null, text: NEEDS_KEY };
  try {
    return await compare(session, options, managementKey);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    process.exitCode = 1;
    const { message } = error;
    return {
      json: { error: message },
      text: `The comparison with OpenRouter's activity failed: ${message}\n`,
    };
  }
}

async function compare(
  { config, database }: CommandSession,
  { upstream, apiKey, period, usesAllKeys }: ComparisonOptions,
  managementKey: string,
): Promise<ComparisonResult> {
  const keyHash = usesAllKeys ? undefined : await findKeyHash(upstream, { apiKey, managementKey });
  const fetchActivity = createActivityReader(upstream, managementKey, keyHash);
  const deletedBefore = await readDeletedBefore(database, config.ledger.retentionDays * DAY_MS);
  const { days, skipped } = listComparableDays(period, Date.now());
  const compared: DayComparison[] = [];
  for (const day of days) compared.push(await compareDay({ database, deletedBefore }, day, fetchActivity));
  const keys = keyHash === undefined ? "all_keys" : "gateway_key";
  const json = { keys, total: toTotalJson(compared), days: compared.map(toDayJson), skipped_days: skipped };
  const differing = toDifferingRows(compared);
  const heading = `OpenRouter's activity of ${keyHash === undefined ? "all keys of the account" : "the gateway's key"}; a difference is OpenRouter's amount minus the ledger's`;
  const parts = [`${heading}\n${formatTable(toDayRows(compared), "days to compare")}`];
  if (keyHash === undefined && !usesAllKeys)
    parts.push("The account does not list the gateway's key, so requests with other keys are differences.\n");
  if (differing.length > 0) parts.push(`models that differ\n${formatTable(differing, "models")}`);
  if (skipped.length > 0)
    parts.push(
      `days not compared\n${formatTable(
        skipped.map((day) => ({ ...day })),
        "days",
      )}`,
    );
  return { json, text: parts.join("\n") };
}
