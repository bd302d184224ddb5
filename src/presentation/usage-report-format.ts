import { z } from "zod";
import type { Dimension, UsageLine, UsageReport, UsageSums } from "../metering/sql/report.ts";
import { type Sum, SUMS } from "../metering/record.ts";
import { formatUsd } from "../money.ts";
import { formatCsvLine } from "./csv.ts";
import { describeSum, describeUsd, formatCount } from "./sum-json.ts";
import { describeTimestamp, formatTimestamp } from "./timestamp.ts";

// JSON and CSV of usage reports in the admin API and the command line.

type UsdField<Name extends Sum = Sum> = Name extends `${infer Money}_nanodollars` ? `${Money}_usd` : never;
type SumFields<Count, Usd> = Record<Sum, Count> & Record<UsdField, Usd>;

/** The fields of the sums in their order. Each sum of money is followed by a field with the same sum in US dollars. */
const SUM_FIELDS = SUMS.flatMap((sum) => {
  const field = { name: sum as Sum | UsdField, sum, isUsd: false };
  const usdName = sum.replace("_nanodollars", "_usd") as UsdField;
  return sum.endsWith("_nanodollars") ? [field, { name: usdName, sum, isUsd: true }] : [field];
});

/** Creates an object that has all {@link SUM_FIELDS}. */
function mapSums<Count, Usd>(
  toCountField: (sum: Sum) => Count,
  toUsdField: (sum: Sum) => Usd,
): SumFields<Count, Usd> {
  const fields: Partial<Record<Sum | UsdField, Count | Usd>> = {};
  for (const { name, sum, isUsd } of SUM_FIELDS) fields[name] = isUsd ? toUsdField(sum) : toCountField(sum);
  return fields as SumFields<Count, Usd>;
}

const sums = mapSums(
  (sum) => describeSum(sum),
  (sum) => describeUsd(sum),
);
const usageLineSchema = z.object({
  day: z.string().optional().describe("Date in UTC, such as 2026-11-22; with the dimension day"),
  key_id: z.string().optional().describe("Id of the key; with the dimension key"),
  key_name: z.string().optional().describe("Name of the key; with the dimension key"),
  group_id: z
    .string()
    .nullable()
    .optional()
    .describe("Id of the group that the key belongs to now; null: none; with the dimension group"),
  group_name: z.string().nullable().optional().describe("Name of this group; null: none"),
  model: z.string().optional().describe("Id of the model; with the dimension model"),
  provider: z.string().optional().describe("Name of the provider; with the dimension provider"),
  endpoint: z
    .string()
    .optional()
    .describe("Path below the base URL, such as chat/completions; with the dimension endpoint"),
  end_user: z.string().optional().describe("Name of the end user; with the dimension end_user"),
  ...sums,
});

/** A usage report as JSON. */
export const usageReportSchema = z.object({
  from: describeTimestamp("Start of the period"),
  to: describeTimestamp("End of the period, which is not part of it"),
  data: z.array(usageLineSchema).describe("One line per combination of the dimensions"),
  total: z.object(sums).describe("The sums of all lines"),
  pending_requests: z
    .int()
    .describe("Requests in flight or waiting for their cost, which are not in the sums yet"),
});

/** A line of a report as JSON; CSV has the same fields. */
export type UsageLineJson = z.output<typeof usageLineSchema>;

/** Machine-readable formats of a report. */
export type ReportFormat = "json" | "csv";

/** Formats a report page by page, so that memory use does not grow with its length. */
export async function* formatUsageReport(
  report: UsageReport,
  format: ReportFormat,
): AsyncGenerator<string, void> {
  if (format === "csv") yield* formatCsv(report);
  else yield* formatJson(report);
}

async function* formatJson({
  from,
  to,
  pages,
  total,
  pendingRequests,
}: UsageReport): AsyncGenerator<string, void> {
  let before = `{"from":"${formatTimestamp(from)}","to":"${formatTimestamp(to)}","data":[`;
  for await (const lines of pages) {
    yield before + lines.map((line) => JSON.stringify(toUsageLineJson(line))).join(",\n");
    before = ",\n";
  }
  const head = before === ",\n" ? "" : before;
  // The sums are complete once all lines have been read.
  yield `${head}],"total":${JSON.stringify(toUsageSumsJson(total()))},"pending_requests":${pendingRequests}}\n`;
}

/** Columns of each dimension, in the order of a line. */
const DIMENSION_COLUMNS: readonly (readonly [Dimension, readonly (keyof UsageLineJson)[]])[] = [
  ["day", ["day"]],
  ["key", ["key_id", "key_name"]],
  ["group", ["group_id", "group_name"]],
  ["model", ["model"]],
  ["provider", ["provider"]],
  ["endpoint", ["endpoint"]],
  ["end_user", ["end_user"]],
];

async function* formatCsv({ by, pages }: UsageReport): AsyncGenerator<string, void> {
  const groups = DIMENSION_COLUMNS.filter(([dimension]) => by.includes(dimension)).flatMap(
    ([, names]) => names,
  );
  const columns = [...groups, ...(Object.keys(sums) as (keyof typeof sums)[])];
  let head = formatCsvLine(columns);
  for await (const lines of pages) {
    const cells = lines.map(toUsageLineJson).map((line) => columns.map((name) => line[name]));
    yield head + cells.map(formatCsvLine).join("");
    head = "";
  }
  if (head !== "") yield head;
}

/** Converts a line of a report to its JSON shape. */
export function toUsageLineJson(line: UsageLine): UsageLineJson {
  const { keyId, keyName, groupId, groupName, day, model, provider, endpoint, endUser, ...rest } = line;
  return {
    ...(day !== undefined && { day }),
    ...(keyId !== undefined && { key_id: keyId }),
    ...(keyName !== undefined && { key_name: keyName }),
    ...(groupId !== undefined && { group_id: groupId }),
    ...(groupName !== undefined && { group_name: groupName }),
    ...(model !== undefined && { model }),
    ...(provider !== undefined && { provider }),
    ...(endpoint !== undefined && { endpoint }),
    ...(endUser !== undefined && { end_user: endUser }),
    ...toUsageSumsJson(rest),
  };
}

/** Converts the sums of a report or of one line to their JSON shape. */
export function toUsageSumsJson(all: UsageSums): SumFields<number | string, string> {
  return mapSums(
    (sum) => formatCount(all[sum]),
    (sum) => formatUsd(all[sum]),
  );
}
