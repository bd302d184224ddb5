import { Readable } from "node:stream";
import { z } from "zod";
import { DAY_MS } from "../durations.ts";
import type { KeyService } from "../keys/key-service.ts";
import { type FailureReport, reportFailures } from "../metering/sql/failures.ts";
import { readTimeSeries } from "../metering/sql/time-series.ts";
import { SERIES_DIMENSIONS, STEP_MS, type TimeSeriesQuery } from "../metering/series.ts";
import { SharedResults } from "../metering/shared-results.ts";
import { dateSchema, resolvePeriod } from "../presentation/period.ts";
import { resolveSeriesPeriod } from "../presentation/series-period.ts";
import { formatTimeSeries, timeSeriesSchema } from "../presentation/time-series-format.ts";
import { describeTimestamp, formatTimestamp } from "../presentation/timestamp.ts";
import { normalizeModelId } from "../request/model-id.ts";
import type { Database } from "../store/database.ts";
import type { AdminScope } from "./admin-scope.ts";
import { endpointQuerySchema, errorResponseSchemas, keyQuerySchema, queryTextSchema } from "./api-schemas.ts";

/** For how long equal queries share a result. */
const FRESH_MS = 2_000;
const SERIES_MAX = 20;
const SERIES_DEFAULT = 8;
const STEPS = Object.keys(STEP_MS) as (keyof typeof STEP_MS)[];

const timeSeriesQuery = z.strictObject({
  step: z
    .enum(STEPS, { error: `must be one of ${STEPS.join(", ")}` })
    .default("hour")
    .describe("Length of a step. The longest period: minute 3 hours, hour 31 days, day 400 days"),
  from: dateSchema
    .optional()
    .describe(
      "Start: a date (UTC) or a time with a zone in ISO 8601, in the first step; default: 60 minutes, 24 hours or 30 days before `to`",
    ),
  to: dateSchema
    .optional()
    .describe(
      "Exclusive end: a date (UTC) or a time with a zone in ISO 8601, which ends the last step; default: the end of the current step",
    ),
  by: z
    .enum(SERIES_DIMENSIONS, { error: `must be one of ${SERIES_DIMENSIONS.join(", ")}` })
    .optional()
    .describe("Adds a series for each of the groups of the highest cost"),
  key: keyQuerySchema,
  group: queryTextSchema.describe("Id or name of a group: only its present keys"),
  model: queryTextSchema.describe("Only requests to this model, by its id"),
  provider: queryTextSchema.describe("Only requests that this provider served, by its name in the ledger"),
  endpoint: endpointQuerySchema,
  series: z.coerce
    .number()
    .int()
    .min(1)
    .max(SERIES_MAX)
    .default(SERIES_DEFAULT)
    .describe("Number of groups that have a series of their own"),
});

const timeSeriesResponse = {
  description:
    "By minute, from the rows of the ledger, with requests in flight; by hour and day, from sums of settled and unknown requests",
  content: { "application/json": { schema: timeSeriesSchema } },
};

const failuresQuery = z.strictObject({
  from: dateSchema
    .optional()
    .describe("Start: a date (UTC) or a time with a zone in ISO 8601; default: 24 hours before `to`"),
  to: dateSchema
    .optional()
    .describe("Exclusive end: a date (UTC) or a time with a zone in ISO 8601; default: now"),
});

/** The response of `GET /admin/v1/failures`. */
export const failuresSchema = z.object({
  from: describeTimestamp("The time back to which requests were read"),
  to: describeTimestamp("End of the period, not included"),
  is_complete: z
    .boolean()
    .describe("False if the period has too many requests, so that the oldest were not read"),
  data: z
    .array(
      z.object({
        endpoint: z.string().describe("Path below the base URL, such as chat/completions"),
        model: z
          .string()
          .nullable()
          .describe("Model id as forwarded to OpenRouter; null: the request named none"),
        provider: z.string().nullable().describe("Name of the provider; null: the response named none"),
        status: z.int().describe("HTTP status that the client got; 0: none"),
        outcome: z.string().nullable().describe("upstream_error, rejected, interrupted, or complete"),
        requests: z.int().describe("Number of these requests"),
        last_at: describeTimestamp("Start of the last of these requests"),
        last_id: z.string().describe("`id` of the last of these requests in GET /admin/v1/requests"),
      }),
    )
    .describe("At most 50 kinds of failures, most requests first"),
});
const failuresResponse = {
  description: "Requests whose client got an error or an incomplete response, and had not disconnected",
  content: { "application/json": { schema: failuresSchema } },
};

/** Registers `GET /admin/v1/timeseries` and `GET /admin/v1/failures`, from which dashboards draw their charts. */
export function registerSeriesRoutes(scope: AdminScope, keys: KeyService, database: Database): void {
  const series = new SharedResults((query: TimeSeriesQuery) => readTimeSeries(database, query), FRESH_MS);
  scope.get(
    "/timeseries",
    {
      schema: {
        tags: ["usage"],
        summary: "Usage, cost, failures and latencies by minute, hour or day",
        querystring: timeSeriesQuery,
        response: { 200: timeSeriesResponse, ...errorResponseSchemas },
      },
    },
    async ({ query }, reply) => {
      const { step, from, to, by, key, group, model, provider, endpoint, series: count } = query;
      const result = await series.get({
        ...resolveSeriesPeriod(step, { from, to }, Date.now()),
        step,
        by,
        keyId: await keys.resolveId(key),
        groupId: group === undefined ? undefined : (await keys.groups.get(group)).id,
        model: model && normalizeModelId(model),
        provider,
        endpoint,
        series: count,
      });
      return reply
        .type("application/json; charset=utf-8")
        .send(Readable.from(formatTimeSeries(result)) as never);
    },
  );
  registerFailureRoute(scope, database);
}

function registerFailureRoute(scope: AdminScope, database: Database): void {
  const failures = new SharedResults(
    (period: { from: number; to: number }) => reportFailures(database, period),
    FRESH_MS,
  );
  scope.get(
    "/failures",
    {
      schema: {
        tags: ["usage"],
        summary: "Failed requests of a period by kind, from the newest 100,000 rows of the ledger",
        querystring: failuresQuery,
        response: { 200: failuresResponse, ...errorResponseSchemas },
      },
    },
    async ({ query }) => {
      // Equal default periods share a result.
      const now = Math.ceil(Date.now() / FRESH_MS) * FRESH_MS;
      const period = resolvePeriod({ ...query, from: query.from ?? (query.to ?? now) - DAY_MS }, now);
      return toFailuresJson(await failures.get(period), period.to);
    },
  );
}

function toFailuresJson(
  { from, isComplete, groups }: FailureReport,
  to: number,
): z.output<typeof failuresSchema> {
  return {
    from: formatTimestamp(from),
    to: formatTimestamp(to),
    is_complete: isComplete,
    data: groups.map(({ forwarded_model: model, last_at, ...group }) => ({
      ...group,
      model,
      last_at: formatTimestamp(last_at),
    })),
  };
}
