import process from "node:process";
import { type Command, Option } from "commander";
import type { FindGeneration } from "../metering/cost-lookup.ts";
import { settleStatedCost, STATED_USD_MAX } from "../metering/stated-cost.ts";
import { countUnfinished, type Period } from "../metering/sql/unknown-rows.ts";
import { correctUnknownCosts, type CorrectionEnd } from "../metering/unknown-costs.ts";
import { UnknownCostsSummary } from "../metering/unknown-costs-summary.ts";
import { formatUsd, NANODOLLARS_PER_USD, parseUsdSetting } from "../money.ts";
import { resolvePeriod } from "../presentation/period.ts";
import { formatTable } from "../presentation/table.ts";
import { formatTimestamp } from "../presentation/timestamp.ts";
import { toRemainingRowsJson, toUnknownCostsJson } from "../presentation/unknown-costs-json.ts";
import { createGenerationFinder } from "../upstream/generation.ts";
import type { Database } from "../store/database.ts";
import { connectUpstream } from "../upstream/openrouter.ts";
import { compareActivity } from "./compare-activity.ts";
import type { RunCommand } from "./keys.ts";
import { parseDate } from "./options.ts";
import { CommandError, type CommandSession, printResult } from "./session.ts";

const STOP_SIGNALS = ["SIGINT", "SIGTERM"] as const;

interface ReconcileOptions {
  readonly from?: number;
  readonly to?: number;
  readonly dryRun: boolean;
  readonly list: boolean;
  readonly allKeys: boolean;
  readonly json: boolean;
  readonly row?: string;
  readonly costUsd?: string;
  readonly reason?: string;
}

/** Adds the command `reconcile`. */
export function addReconcileCommand(program: Command, run: RunCommand): void {
  program
    .command("reconcile")
    .description("look up unknown costs again, and compare the ledger with OpenRouter's activity")
    .option("--from <when>", "a date or a time; default: 30 days before --to", parseDate)
    .option("--to <when>", "exclusive end: a date or a time; default: now", parseDate)
    .option("--dry-run", "look up and print, but change nothing", false)
    .option("--list", "print the requests whose cost is still unknown, at most 10,000", false)
    .option("--all-keys", "compare with the requests of all keys of the account", false)
    .addOption(
      new Option("--row <id>", "settle this row with the cost that --cost-usd states").conflicts([
        "from",
        "to",
        "dryRun",
        "list",
        "allKeys",
      ]),
    )
    .option("--cost-usd <usd>", "cost of --row in US dollars")
    .option("--reason <text>", "source of the cost of --row, for the audit table")
    .option("--json", "print JSON", false)
    .action((options: ReconcileOptions) =>
      run((session) =>
        options.row === undefined ? reconcile(session, options) : stateCost(session, options.row, options),
      ),
    );
}

async function reconcile(session: CommandSession, options: ReconcileOptions): Promise<void> {
  const { database, config } = session;
  const { openrouterApiKey: apiKey } = config;
  if (options.costUsd !== undefined || options.reason !== undefined)
    throw new CommandError("--cost-usd and --reason need --row; reconcile --list prints the ids of rows.");
  if (apiKey === undefined)
    throw new CommandError(
      "OPENROUTER_API_KEY is not set. Set it to the key of the gateway, with which costs are looked up.",
    );
  const { dryRun: isDryRun, list, json, allKeys: usesAllKeys } = options;
  const period = resolvePeriod(options, Date.now());
  const unfinished = await countUnfinished(database, period);
  const upstream = connectUpstream(config.upstream);
  try {
    const { summary, end } = await correct(database, createGenerationFinder(upstream, `Bearer ${apiKey}`), {
      period,
      isDryRun,
      list,
    });
    const result = {
      from: formatTimestamp(period.from),
      to: formatTimestamp(period.to),
      dry_run: isDryRun,
      interrupted: end.isInterrupted,
      unknown: { ...toUnknownCostsJson(summary), ...(list && { rows: toRemainingRowsJson(summary) }) },
      unfinished,
    };
    if (!json) process.stdout.write(formatResult(result));
    reportEnd(end);
    const activity = end.isInterrupted
      ? { json: null, text: "" }
      : await compareActivity(session, { upstream, apiKey, period, usesAllKeys });
    if (json) printResult({ ...result, activity: activity.json }, [], true, "");
    else process.stdout.write(`\n${activity.text}`);
  } finally {
    await upstream.close();
  }
}

interface Correction {
  readonly period: Period;
  readonly isDryRun: boolean;
  readonly list: boolean;
}

/** Corrects unknown costs until all rows are read, or until SIGINT or SIGTERM. */
async function correct(
  database: Database,
  findGeneration: FindGeneration,
  { period, isDryRun, list }: Correction,
): Promise<{ summary: UnknownCostsSummary; end: CorrectionEnd }> {
  const summary = new UnknownCostsSummary(list);
  const stopping = new AbortController();
  const stop = (): void => stopping.abort();
  for (const signal of STOP_SIGNALS) process.on(signal, stop);
  try {
    const end = await correctUnknownCosts({
      database,
      findGeneration,
      period,
      isDryRun,
      signal: stopping.signal,
      onResult: (row, result, cost) => summary.add(row, result, cost),
      onPause: (error, pauseMs) =>
        process.stderr.write(
          `lookups failed (${describe(error)}), waiting ${Math.ceil(pauseMs / 1_000)} s\n`,
        ),
    });
    return { summary, end };
  } finally {
    for (const signal of STOP_SIGNALS) process.off(signal, stop);
  }
}

type Result = ReturnType<typeof toUnknownCostsJson> & {
  readonly rows?: ReturnType<typeof toRemainingRowsJson>;
};

function formatResult({
  from,
  to,
  dry_run: isDryRun,
  unknown,
  unfinished,
}: {
  readonly from: string;
  readonly to: string;
  readonly dry_run: boolean;
  readonly unknown: Result;
  readonly unfinished: { readonly open: number; readonly pending: number };
}): string {
  const { remaining, keys, rows = [], ...counts } = unknown;
  const tables = [`unknown costs from ${from} to ${to}${isDryRun ? " (dry run, nothing changed)" : ""}\n`];
  tables.push(formatTable([counts], "counts"));
  if (keys.length > 0) tables.push(formatTable(keys, "keys"));
  if (remaining.length > 0) tables.push(formatTable(remaining, "reasons"));
  if (rows.length > 0) tables.push(formatTable(rows, "rows"));
  const { open, pending } = unfinished;
  if (open + pending > 0)
    tables.push(
      `${open} requests are in flight, and ${pending} wait for their cost. Gateways settle them.\n`,
    );
  return tables.join("\n");
}

/** Prints the reason for exit code 1. */
function reportEnd({ isInterrupted, error }: CorrectionEnd): void {
  if (error !== undefined)
    process.stderr.write(
      `Some lookups failed: ${describe(error)} Check OPENROUTER_API_KEY and the connection to OpenRouter, then run the command again.\n`,
    );
  if (isInterrupted)
    process.stderr.write("Interrupted. All corrections so far are saved; run the command again.\n");
  if (error !== undefined || isInterrupted) process.exitCode = 1;
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function stateCost(
  { database, by }: CommandSession,
  id: string,
  { costUsd, reason, json }: ReconcileOptions,
): Promise<void> {
  const costNanodollars = costUsd === undefined ? undefined : parseUsdSetting(costUsd);
  if (costNanodollars === undefined || costNanodollars > STATED_USD_MAX * NANODOLLARS_PER_USD)
    throw new CommandError(
      `--row needs --cost-usd: US dollars from 0, at most ${STATED_USD_MAX}, with at most 9 decimal places.`,
    );
  if (reason === undefined || reason.trim() === "")
    throw new CommandError("--row needs --reason: the source of the cost, such as the activity page.");
  const result = await settleStatedCost(database, { id, costNanodollars, reason, by });
  if (!result) throw new CommandError("No row of the ledger has this id; reconcile --list prints the ids.");
  if ("state" in result)
    throw new CommandError(`The row is ${result.state}; only a row whose cost is unknown can be settled.`);
  const { key_name, request_id } = result.settled;
  const settled = { row: id, request_id, key: key_name, cost_usd: formatUsd(costNanodollars) };
  printResult(settled, [settled], json, "rows");
}
