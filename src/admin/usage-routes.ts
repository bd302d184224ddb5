import { Readable } from "node:stream";
import { z } from "zod";
import { normalizeModelId } from "../request/model-id.ts";
import type { KeyService } from "../keys/key-service.ts";
import { hourQueryFields } from "../presentation/period.ts";
import { resolveUsagePeriod } from "../presentation/usage-period.ts";
import {
  formatUsageReport,
  type ReportFormat,
  usageReportSchema,
} from "../presentation/usage-report-format.ts";
import type { Database } from "../store/database.ts";
import { type Dimension, DIMENSIONS, reportUsage } from "../metering/sql/report.ts";
import type { AdminScope } from "./admin-scope.ts";
import { endpointQuerySchema, errorResponseSchemas, keyQuerySchema, queryTextSchema } from "./api-schemas.ts";
import { prependFirst } from "./stream-text.ts";

const LIMIT_MAX = 5_000;
const BY = `some of ${DIMENSIONS.join(", ")}, separated by commas`;
const isDimension = (text: string): text is Dimension => DIMENSIONS.some((known) => known === text);
const splitNames = (text: string): string[] => text.split(",").map((name) => name.trim());
const usageQuery = z.strictObject({
  by: z
    .string()
    .refine((text) => splitNames(text).every(isDimension), `must be ${BY}`)
    .default("key")
    .transform((text) => splitNames(text).filter(isDimension))
    .describe(`The dimensions of a line: ${BY}`),
  ...hourQueryFields,
  key: keyQuerySchema,
  model: queryTextSchema.describe("Only requests to this model, by its id"),
  provider: queryTextSchema.describe("Only requests that this provider served, by its name in the ledger"),
  endpoint: endpointQuerySchema,
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(LIMIT_MAX)
    .optional()
    .describe(
      "Only this number of lines, those of the highest cost, highest first; `total` is still that of all lines",
    ),
  format: z
    .enum(["json", "csv"], { error: "must be json or csv" })
    .default("json")
    .describe("Format of the response"),
});

const usageResponse = {
  description: "Sums of the requests that are settled or unknown, streamed",
  content: {
    "application/json": { schema: usageReportSchema },
    "text/csv": { schema: z.string().describe("A header line, then one line per group (RFC 4180)") },
  },
};

const TYPES: Readonly<Record<ReportFormat, string>> = {
  json: "application/json; charset=utf-8",
  csv: "text/csv; charset=utf-8",
};

/** Registers `GET /admin/v1/usage`, which reports usage and cost by the dimensions of reports. */
export function registerUsageRoutes(scope: AdminScope, keys: KeyService, database: Database): void {
  scope.get(
    "/usage",
    {
      schema: {
        tags: ["usage"],
        summary:
          "Report usage and cost by key, group, model, provider, endpoint, end user and day, from sums",
        querystring: usageQuery,
        response: { 200: usageResponse, ...errorResponseSchemas },
      },
    },
    async ({ query, context }, reply) => {
      const { by, key, format, from, to, model, provider, endpoint, limit } = query;
      const disconnected = new AbortController();
      reply.raw.once("close", () => disconnected.abort());
      const report = await reportUsage(database, {
        model: model && normalizeModelId(model),
        provider,
        endpoint,
        ...resolveUsagePeriod({ by, from, to, model, provider, endpoint }, Date.now()),
        by,
        limit,
        keyId: await keys.resolveId(key),
        signal: disconnected.signal,
      });
      const text = formatUsageReport(report, format);
      // Read the first part before the response head is sent, so that a failure can still be sent as an error response.
      const first = await text.next();
      const stream = Readable.from(prependFirst(first, text, context));
      // If the stream closes before it has been read, it does not end its source itself.
      stream.once("close", () => void text.return().catch(() => {}));
      return reply.type(TYPES[format]).send(stream as never);
    },
  );
}
