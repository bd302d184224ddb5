import { once } from "node:events";
import { type Command, Option } from "commander";
import { normalizeModelId } from "../request/model-id.ts";
import { resolveUsagePeriod } from "../presentation/usage-period.ts";
import { TableFormatter } from "../presentation/table.ts";
import { formatTimestamp } from "../presentation/timestamp.ts";
import { formatUsageReport, toUsageLineJson, toUsageSumsJson } from "../presentation/usage-report-format.ts";
import { escapeUnprintable, escapeUnprintableJson } from "../printable.ts";
import { ENDPOINT_NAMES } from "../endpoints/relayed-endpoints.ts";
import { DIMENSIONS, type Dimension, reportUsage, type UsageReport } from "../metering/sql/report.ts";
import type { RunCommand } from "./keys.ts";
import { parseDate } from "./options.ts";
import { CommandError } from "./session.ts";

interface UsageOptions {
  readonly by: string;
  readonly from?: number;
  readonly to?: number;
  readonly key?: string;
  readonly model?: string;
  readonly provider?: string;
  readonly endpoint?: string;
  readonly limit?: number;
  readonly json: boolean;
  readonly csv: boolean;
}

/** Adds the command `usage`. */
export function addUsageCommand(program: Command, run: RunCommand): void {
  program
    .command("usage")
    .description("report usage and cost")
    .option("--by <groups>", `some of ${DIMENSIONS.join(", ")}, separated by commas`, "key")
    .option("--from <when>", "a date, or the beginning of an hour; default: 30 days before --to", parseDate)
    .option(
      "--to <when>",
      "exclusive end: a date, or the beginning of an hour; default: the end of the current hour",
      parseDate,
    )
    .option("--key <key>", "only requests with this key (id or name)")
    .option("--model <model>", "only requests for this model")
    .option("--provider <provider>", "only requests that this provider served")
    .option("--endpoint <endpoint>", `only requests to this endpoint: ${ENDPOINT_NAMES.join(", ")}`)
    .option(
      "--limit <lines>",
      "only the lines of the highest cost; the total is still that of all lines",
      parseLines,
    )
    .addOption(new Option("--json", "print JSON").default(false).conflicts("csv"))
    .option("--csv", "print CSV", false)
    .action((options: UsageOptions) =>
      run(async ({ database, keys }) => {
        const { key, from, to, model, provider, endpoint, limit, json, csv } = options;
        const by = parseDimensions(options.by);
        const report = await reportUsage(database, {
          ...resolveUsagePeriod({ by, from, to, model, provider, endpoint }, Date.now()),
          by,
          limit,
          keyId: await keys.resolveId(key),
          model: model && normalizeModelId(model),
          provider,
          endpoint: parseEndpoint(endpoint),
        });
        for await (const part of formatReport(report, json ? "json" : csv ? "csv" : "table"))
          if (!process.stdout.write(part)) await once(process.stdout, "drain");
      }),
    );
}

/** Formats a report part by part. Escapes control characters, because model names come from clients and reach a terminal. */
async function* formatReport(
  report: UsageReport,
  format: "json" | "csv" | "table",
): AsyncGenerator<string, void> {
  if (format === "table") yield* formatReportTable(report);
  else if (format === "json")
    for await (const part of formatUsageReport(report, format)) yield escapeUnprintableJson(part);
  else
    for await (const part of formatUsageReport(report, format))
      yield part.split("\r\n").map(escapeUnprintable).join("\r\n");
}

/** Formats a report as a table, page by page. Columns can become wider from one page to the next. */
async function* formatReportTable({
  from,
  to,
  isLimited,
  pages,
  total,
  pendingRequests,
}: UsageReport): AsyncGenerator<string, void> {
  const table = new TableFormatter(`usage from ${formatTimestamp(from)} to ${formatTimestamp(to)}`);
  let lines = 0;
  let lastPage: Record<string, unknown>[] = [];
  for await (const page of pages) {
    lines += page.length;
    if (lastPage.length > 0) yield table.formatRows(lastPage);
    lastPage = page.map(toUsageLineJson);
  }
  yield table.formatRows(lines > 1 || isLimited ? [...lastPage, toUsageSumsJson(total())] : lastPage);
  if (pendingRequests > 0) yield `${pendingRequests} more requests are in flight or wait for their cost.\n`;
}

function parseLines(text: string): number {
  const lines = Number(text);
  if (!Number.isSafeInteger(lines) || lines < 1)
    throw new CommandError(`--limit must be a whole number from 1, not "${text}"`);
  return lines;
}

function parseEndpoint(text: string | undefined): string | undefined {
  if (text !== undefined && !ENDPOINT_NAMES.includes(text))
    throw new CommandError(`--endpoint must be one of ${ENDPOINT_NAMES.join(", ")}, not "${text}"`);
  return text;
}

function parseDimensions(text: string): Dimension[] {
  return text.split(",").map((item) => {
    const dimension = DIMENSIONS.find((known) => known === item.trim());
    if (!dimension) throw new CommandError(`--by must be some of ${DIMENSIONS.join(", ")}, not "${item}"`);
    return dimension;
  });
}
