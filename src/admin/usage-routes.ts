import { z } from "zod";
import { forwardedModelId } from "../openai/model-id.ts";
import type { KeyService } from "../keys/key-service.ts";
import type { Database } from "../store/database.ts";
import {
  type Dimension,
  DIMENSIONS,
  reportUsage,
  type UsageLine,
  type UsageReport,
  type UsageSums,
} from "../store/usage-report.ts";
import { usdText } from "../usage/money.ts";
import type { AdminScope } from "./admin-api.ts";
import { csvLine } from "./csv.ts";
import { keyIdOf } from "./key-id.ts";
import { periodFields, periodOf } from "./period.ts";
import { errorAnswers, isoOf, keyQuery, queryText } from "./wire.ts";

const BY = `some of ${DIMENSIONS.join(", ")}, separated by commas`;
const isDimension = (text: string): text is Dimension => DIMENSIONS.some((known) => known === text);
const namesIn = (text: string): string[] => text.split(",").map((name) => name.trim());
const usageQuery = z.strictObject({
  by: z
    .string()
    .refine((text) => namesIn(text).every(isDimension), `must be ${BY}`)
    .default("key")
    .transform((text) => namesIn(text).filter(isDimension))
    .describe(BY),
  ...periodFields,
  key: keyQuery,
  model: queryText,
  provider: queryText,
  format: z.enum(["json", "csv"], { error: "must be json or csv" }).default("json"),
});

const sums = {
  requests: z.int(),
  unknown_requests: z.int().describe("Of these, those whose cost will not be known"),
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
  cached_tokens: z.int(),
  reasoning_tokens: z.int(),
  cost_nanodollars: z.int(),
  cost_usd: z.string().describe("Exact, in decimal digits"),
};
const line = z.object({
  day: z.string().optional(),
  key_id: z.string().optional(),
  key_name: z.string().optional(),
  model: z.string().optional(),
  provider: z.string().optional(),
  ...sums,
});
const report = z.object({
  from: z.string(),
  to: z.string(),
  data: z.array(line),
  total: z.object(sums),
  pending_requests: z.int().describe("Under way, or waiting for their cost; in no sum yet"),
});

const usageAnswer = {
  description: "Sums of what is settled or unknown",
  content: {
    "application/json": { schema: report },
    "text/csv": { schema: z.string().describe("A head, and one group in each line (RFC 4180)") },
  },
};

/** `GET /admin/v1/usage`: what was used and what it cost, by key, model, provider and day. */
export function usageRoutes(scope: AdminScope, keys: KeyService, database: Database): void {
  scope.get(
    "/usage",
    {
      schema: {
        tags: ["usage"],
        summary: "Usage and cost by key, model, provider and day, from sums by the hour",
        querystring: usageQuery,
        response: { 200: usageAnswer, ...errorAnswers },
      },
    },
    async ({ query }, reply) => {
      const { by, key, format, from, to, model, provider } = query;
      const usage = await reportUsage(database, {
        model: model && forwardedModelId(model),
        provider,
        ...periodOf({ from, to }, Date.now()),
        by,
        keyId: await keyIdOf(keys, key),
      });
      if (format === "json") return toWireReport(usage);
      return reply.type("text/csv; charset=utf-8").serializer(String).send(toCsv(usage));
    },
  );
}

/** A report as the wire has it. */
export function toWireReport({
  from,
  to,
  lines,
  total,
  pendingRequests,
}: UsageReport): z.output<typeof report> {
  return {
    from: isoOf(from),
    to: isoOf(to),
    data: lines.map(toWireLine),
    total: toWireSums(total),
    pending_requests: pendingRequests,
  };
}

function toWireLine({ keyId, keyName, day, model, provider, ...rest }: UsageLine): z.output<typeof line> {
  return {
    ...(day !== undefined && { day }),
    ...(keyId !== undefined && { key_id: keyId }),
    ...(keyName !== undefined && { key_name: keyName }),
    ...(model !== undefined && { model }),
    ...(provider !== undefined && { provider }),
    ...toWireSums(rest),
  };
}

function toWireSums(all: UsageSums) {
  return {
    requests: all.requests,
    unknown_requests: all.unknownRequests,
    prompt_tokens: all.promptTokens,
    completion_tokens: all.completionTokens,
    cached_tokens: all.cachedTokens,
    reasoning_tokens: all.reasoningTokens,
    cost_nanodollars: all.costNanodollars,
    cost_usd: usdText(all.costNanodollars),
  };
}

/** Columns of a group, in the order in which a line has them. */
const GROUPS: readonly (readonly [Dimension, readonly string[]])[] = [
  ["day", ["day"]],
  ["key", ["key_id", "key_name"]],
  ["model", ["model"]],
  ["provider", ["provider"]],
];

/** The lines of a report as CSV, with a head. */
export function toCsv(usage: UsageReport): string {
  const { data, total } = toWireReport(usage);
  const groups = GROUPS.filter(([dimension]) => usage.by.includes(dimension)).flatMap(([, names]) => names);
  const columns = [...groups, ...Object.keys(total)];
  return (
    csvLine(columns) +
    data.map((one) => csvLine(columns.map((name) => one[name as keyof typeof one]))).join("")
  );
}
