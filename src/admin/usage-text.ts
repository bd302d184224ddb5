import { z } from "zod";
import type { Dimension, UsageLine, UsageReport, UsageSums } from "../store/usage-report.ts";
import { usdText } from "../usage/money.ts";
import { csvLine } from "./csv.ts";
import { isoOf } from "./wire.ts";

// How a report of usage is written, by the admin API and the command line.

const count = z
  .union([z.int(), z.string().regex(/^\d+$/)])
  .describe(
    "A number; its digits as a string from 2^53 on, which not every reader of JSON would take exactly",
  );
const usd = z.string().describe("Exact, in decimal digits");
const sums = {
  requests: count,
  unknown_requests: count.describe("Of these, those whose cost will not be known"),
  prompt_tokens: count,
  completion_tokens: count,
  cached_tokens: count,
  cache_write_tokens: count,
  reasoning_tokens: count,
  cost_nanodollars: count.describe("What OpenRouter charges"),
  cost_usd: usd,
  byok_nanodollars: count.describe(
    "What providers charge beside it, for requests with the account's own key (BYOK)",
  ),
  byok_usd: usd,
};
const wireLine = z.object({
  day: z.string().optional(),
  key_id: z.string().optional(),
  key_name: z.string().optional(),
  model: z.string().optional(),
  provider: z.string().optional(),
  ...sums,
});

/** A report as JSON. */
export const wireReport = z.object({
  from: z.string(),
  to: z.string().describe("Not included"),
  data: z.array(wireLine),
  total: z.object(sums),
  pending_requests: z.int().describe("In flight, or waiting for their cost; not in the sums yet"),
});

type WireSums = z.output<z.ZodObject<typeof sums>>;
export type WireLine = z.output<typeof wireLine>;

/** How a report can be written. */
export type UsageFormat = "json" | "csv";

/** Writes a report, some lines at a time, so that its length takes no memory. */
export async function* usageText(report: UsageReport, format: UsageFormat): AsyncGenerator<string, void> {
  if (format === "csv") yield* csvText(report);
  else yield* jsonText(report);
}

async function* jsonText({
  from,
  to,
  pages,
  total,
  pendingRequests,
}: UsageReport): AsyncGenerator<string, void> {
  let before = `{"from":"${isoOf(from)}","to":"${isoOf(to)}","data":[`;
  for await (const lines of pages) {
    yield before + lines.map((line) => JSON.stringify(toWireLine(line))).join(",\n");
    before = ",\n";
  }
  const head = before === ",\n" ? "" : before;
  // The sums are whole when the lines have been read.
  yield `${head}],"total":${JSON.stringify(toWireSums(total()))},"pending_requests":${pendingRequests}}\n`;
}

/** Columns of a group, in the order in which a line has them. */
const GROUPS: readonly (readonly [Dimension, readonly (keyof WireLine)[]])[] = [
  ["day", ["day"]],
  ["key", ["key_id", "key_name"]],
  ["model", ["model"]],
  ["provider", ["provider"]],
];

async function* csvText({ by, pages }: UsageReport): AsyncGenerator<string, void> {
  const groups = GROUPS.filter(([dimension]) => by.includes(dimension)).flatMap(([, names]) => names);
  const columns = [...groups, ...(Object.keys(sums) as (keyof typeof sums)[])];
  let head = csvLine(columns);
  for await (const lines of pages) {
    const cells = lines.map(toWireLine).map((line) => columns.map((name) => line[name]));
    yield head + cells.map(csvLine).join("");
    head = "";
  }
  if (head !== "") yield head;
}

/** A line as the wire has it. */
export function toWireLine({ keyId, keyName, day, model, provider, ...rest }: UsageLine): WireLine {
  return {
    ...(day !== undefined && { day }),
    ...(keyId !== undefined && { key_id: keyId }),
    ...(keyName !== undefined && { key_name: keyName }),
    ...(model !== undefined && { model }),
    ...(provider !== undefined && { provider }),
    ...toWireSums(rest),
  };
}

/** Sums as the wire has them. */
export function toWireSums(all: UsageSums): WireSums {
  return {
    requests: toCount(all.requests),
    unknown_requests: toCount(all.unknownRequests),
    prompt_tokens: toCount(all.promptTokens),
    completion_tokens: toCount(all.completionTokens),
    cached_tokens: toCount(all.cachedTokens),
    cache_write_tokens: toCount(all.cacheWriteTokens),
    reasoning_tokens: toCount(all.reasoningTokens),
    cost_nanodollars: toCount(all.costNanodollars),
    cost_usd: usdText(all.costNanodollars),
    byok_nanodollars: toCount(all.byokNanodollars),
    byok_usd: usdText(all.byokNanodollars),
  };
}

function toCount(sum: bigint): number | string {
  const number = Number(sum);
  return Number.isSafeInteger(number) ? number : String(sum);
}
