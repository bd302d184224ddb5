import { Readable } from "node:stream";
import { z } from "zod";
import { GatewayError } from "../errors.ts";
import type { KeyService } from "../keys/key-service.ts";
import { plainTextSchema } from "../keys/key-input.ts";
import { OUTCOMES, STATES } from "../metering/record.ts";
import { findRequest, readRequestPages, type RequestFilter, scanRequests } from "../metering/sql/export.ts";
import { periodQueryFields, resolvePeriod } from "../presentation/period.ts";
import { requestPageSchema, requestRecordSchema, toRequestRecordJson } from "../presentation/request-json.ts";
import { formatTimestamp } from "../presentation/timestamp.ts";
import type { Database } from "../store/database.ts";
import type { AdminScope } from "./admin-scope.ts";
import {
  endpointQuerySchema,
  endUserQuerySchema,
  errorResponseSchemas,
  flagSchema,
  keyQuerySchema,
  ledgerTextQuerySchema,
  queryTextSchema,
  sessionQuerySchema,
} from "./api-schemas.ts";
import { cursorSchema } from "./cursor.ts";
import { formatExport, REQUEST_FORMATS, REQUEST_MEDIA_TYPES } from "./request-formats.ts";
import { readRequestPage } from "./request-page.ts";
import { prependFirst } from "./stream-text.ts";

const ORDERS = ["asc", "desc"] as const;
const LIMIT_MAX = 5_000;
const STATUS_MAX = 599;

const requestsQuery = z.strictObject({
  ...periodQueryFields,
  key: keyQuerySchema,
  group: queryTextSchema.describe(
    "Id or name of a group: only requests whose key belonged to it when they began",
  ),
  session: sessionQuerySchema,
  end_user: endUserQuerySchema,
  model: ledgerTextQuerySchema.describe(
    "Only requests to this model id: as the client requested it, as the gateway forwarded it, or as upstream named it",
  ),
  provider: ledgerTextQuerySchema.describe(
    "Only requests that this provider served, by its name in the ledger",
  ),
  endpoint: endpointQuerySchema,
  state: z
    .enum(STATES, { error: `must be one of ${STATES.join(", ")}` })
    .optional()
    .describe("Only requests in this state"),
  outcome: z
    .enum(OUTCOMES, { error: `must be one of ${OUTCOMES.join(", ")}` })
    .optional()
    .describe("Only requests that ended like this"),
  status: z.coerce
    .number()
    .int()
    .min(0)
    .max(STATUS_MAX)
    .optional()
    .describe("Status of the response, such as 429; 0: no response was sent"),
  failed: flagSchema.describe(
    "true: only failed requests: the client got an error or an incomplete response, and did not cause that by disconnecting",
  ),
  search: ledgerTextQuerySchema.describe(
    "An exact id: a row id or generation id of any time, or else a request id of the period",
  ),
  format: z
    .enum(REQUEST_FORMATS, { error: `must be one of ${REQUEST_FORMATS.join(", ")}` })
    .default("json")
    .describe("Format of the response"),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(LIMIT_MAX)
    .optional()
    .describe(
      "Rows per page; a page that takes more than 1 s to find has fewer. Default: all rows, streamed",
    ),
  cursor: cursorSchema.optional().describe("`next_cursor` of the previous page: selects the rows after it"),
  order: z
    .enum(ORDERS, { error: "must be asc or desc" })
    .default("asc")
    .describe("Order by the start time of requests: asc is oldest first"),
});

const requestsResponse = {
  description:
    "Rows of the ledger. With `limit`, the header x-next-cursor contains the cursor of the next page; the last page has no such header. The header x-searched-to has the value of `searched_to`",
  content: {
    "application/json": { schema: requestPageSchema },
    "application/x-ndjson": { schema: z.string().describe("One line per row") },
    "text/csv": { schema: z.string().describe("A header line, then one line per row (RFC 4180)") },
  },
};

const requestParams = z.object({
  request: plainTextSchema
    .min(1)
    .max(64)
    .describe("Id of the row, or `latest`: the row of the request that began last"),
});

/** Registers the routes of the ledger: all rows that match, one page of them, and one row. */
export function registerRequestRoutes(scope: AdminScope, keys: KeyService, database: Database): void {
  registerList(scope, keys, database);
  scope.get(
    "/requests/:request",
    {
      schema: {
        tags: ["usage"],
        summary: "Show the record of a request",
        params: requestParams,
        response: { 200: requestRecordSchema, ...errorResponseSchemas },
      },
    },
    async ({ params }) => {
      const row = await findRequest(database, params.request);
      if (!row) throw new GatewayError("request_not_found");
      return toRequestRecordJson(row);
    },
  );
}

function registerList(scope: AdminScope, keys: KeyService, database: Database): void {
  scope.get(
    "/requests",
    {
      schema: {
        tags: ["usage"],
        summary: "List requests in order of time, as JSON, NDJSON or CSV",
        querystring: requestsQuery,
        response: { 200: requestsResponse, ...errorResponseSchemas },
      },
    },
    async ({ query, context }, reply) => {
      const { format, limit } = query;
      const filter = await toFilter(query, keys);
      reply.type(REQUEST_MEDIA_TYPES[format]);
      if (limit !== undefined) {
        const { text, end } = await readRequestPage(scanRequests(database, filter), limit, format);
        if (typeof end.next === "string") reply.header("x-next-cursor", end.next);
        if (end.searchedTo !== undefined) reply.header("x-searched-to", formatTimestamp(end.searchedTo));
        return reply.send(text);
      }
      const text = formatExport(readRequestPages(database, filter), format);
      // Read the first part before the response head is sent, so that a failure can still be sent as an error response.
      const first = await text.next();
      return reply.send(Readable.from(prependFirst(first, text, context)) as never);
    },
  );
}

/** @throws GatewayError key_not_found, group_not_found, or invalid_value if the period ends before it begins. */
async function toFilter(query: z.output<typeof requestsQuery>, keys: KeyService): Promise<RequestFilter> {
  const { key, group, end_user: endUser, failed, cursor: after, from, to, ...rest } = query;
  const { format: _format, limit: _limit, ...conditions } = rest;
  return {
    ...conditions,
    ...resolvePeriod({ from, to }, Date.now()),
    keyId: await keys.resolveId(key),
    groupId: group === undefined ? undefined : (await keys.groups.get(group)).id,
    endUser,
    isFailed: failed,
    after,
  };
}
