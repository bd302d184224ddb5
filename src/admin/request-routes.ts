import { Readable } from "node:stream";
import { z } from "zod";
import { GatewayError } from "../errors.ts";
import type { RequestContext } from "../http/request-context.ts";
import type { KeyService } from "../keys/key-service.ts";
import { formatCsvLine } from "../presentation/csv.ts";
import { periodQueryFields, resolvePeriod } from "../presentation/period.ts";
import {
  describeOptionalTimestamp,
  describeTimestamp,
  formatOptionalTimestamp,
  formatTimestamp,
} from "../presentation/timestamp.ts";
import type { Database } from "../store/database.ts";
import { readRequestPages } from "../metering/sql/export.ts";
import { REQUEST_COLUMNS, type RequestRow, STATES } from "../metering/record.ts";
import { formatUsd } from "../money.ts";
import type { AdminScope } from "./admin-scope.ts";
import {
  endUserQuerySchema,
  errorResponseSchemas,
  keyQuerySchema,
  sessionQuerySchema,
} from "./api-schemas.ts";
import { cursorSchema, encodeCursor } from "./cursor.ts";

const FORMATS = ["json", "ndjson", "csv"] as const;
type Format = (typeof FORMATS)[number];
const ORDERS = ["asc", "desc"] as const;
const LIMIT_MAX = 5_000;

const requestsQuery = z.strictObject({
  ...periodQueryFields,
  key: keyQuerySchema,
  session: sessionQuerySchema,
  end_user: endUserQuerySchema,
  state: z
    .enum(STATES, { error: `must be one of ${STATES.join(", ")}` })
    .optional()
    .describe("Only requests in this state"),
  format: z
    .enum(FORMATS, { error: `must be one of ${FORMATS.join(", ")}` })
    .default("json")
    .describe("Format of the response"),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(LIMIT_MAX)
    .optional()
    .describe("Rows per page; default: all rows, streamed"),
  cursor: cursorSchema.optional().describe("`next_cursor` of the previous page: selects the rows after it"),
  order: z
    .enum(ORDERS, { error: "must be asc or desc" })
    .default("asc")
    .describe("Order by the start time of requests: asc is oldest first"),
});

const TYPES: Readonly<Record<Format, string>> = {
  json: "application/json",
  ndjson: "application/x-ndjson",
  csv: "text/csv; charset=utf-8",
};

/** The columns that control cost lookups are an implementation detail, so they are not exported. */
const { settle_attempts: _hiddenAttempts, settle_at: _hiddenAt, ...EXPORTED_COLUMNS } = REQUEST_COLUMNS;

const requestSchema = z.object({
  ...Object.fromEntries(
    Object.entries(EXPORTED_COLUMNS).map(([name, { sqlType, isNullable, description = "" }]) => {
      const type = sqlType === "text" ? z.string() : z.int();
      return [name, (isNullable ? type.nullable() : type).describe(description)];
    }),
  ),
  stream: z.boolean().describe(REQUEST_COLUMNS.stream.description ?? ""),
  is_byok: z
    .boolean()
    .nullable()
    .describe(REQUEST_COLUMNS.is_byok.description ?? ""),
  state: z.enum(STATES).describe(REQUEST_COLUMNS.state.description ?? ""),
  started_at: describeTimestamp("Start of the request"),
  ended_at: describeOptionalTimestamp("End of the request; null: in flight"),
  reserved_usd: z
    .string()
    .nullable()
    .describe("reserved_nanodollars in US dollars: exact, in decimal digits"),
  cost_usd: z.string().nullable().describe("cost_nanodollars in US dollars: exact, in decimal digits"),
});
const requestsResponse = {
  description:
    "Rows of the ledger. With `limit`, the header x-next-cursor contains the cursor of the next page; the last page has no such header",
  content: {
    "application/json": {
      schema: z.object({
        data: z.array(requestSchema).describe("The requests, in the requested order"),
        next_cursor: z
          .string()
          .nullable()
          .optional()
          .describe("With `limit`: the `cursor` of the next page; null in the last page"),
      }),
    },
    "application/x-ndjson": { schema: z.string().describe("One line per row") },
    "text/csv": { schema: z.string().describe("A header line, then one line per row (RFC 4180)") },
  },
};

/** Registers `GET /admin/v1/requests`, which streams all rows of the ledger or sends one page of them. */
export function registerRequestRoutes(scope: AdminScope, keys: KeyService, database: Database): void {
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
      const { key, session, end_user: endUser, format, state, limit, cursor, order, ...period } = query;
      const keyId = await keys.resolveId(key);
      const filter = {
        ...resolvePeriod(period, Date.now()),
        keyId,
        session,
        endUser,
        state,
        order,
        after: cursor,
      };
      const pages = readRequestPages(database, filter);
      reply.type(TYPES[format]);
      if (limit !== undefined) {
        const { text: page, next } = await readPage(pages, limit, format);
        if (next !== null) reply.header("x-next-cursor", next);
        return reply.send(page);
      }
      const text = formatExport(pages, format);
      // Read the first part before the response head is sent, so that a failure can still be sent as an error response.
      const first = await text.next();
      return reply.send(Readable.from(prependFirst(first, text, context)) as never);
    },
  );
}

/** The data at the end of a page. */
interface PageEnd {
  /** Cursor of the next page; null after the last page; undefined if the request selects all rows. */
  next: string | null | undefined;
}

/** Reads and formats a page. Each database page is formatted as it arrives, so the event loop is never blocked for long. */
async function readPage(
  pages: AsyncIterable<readonly RequestRow[]>,
  limit: number,
  format: Format,
): Promise<{ text: string; next: string | null }> {
  const end: { next: string | null } = { next: null };
  const text = await Array.fromAsync(formatExport(takeRows(pages, limit, end), format, end));
  return { text: text.join(""), next: end.next };
}

/** Yields at most `limit` rows. Database pages are never empty, so another page after the limit proves that rows remain. */
async function* takeRows(
  pages: AsyncIterable<readonly RequestRow[]>,
  limit: number,
  end: PageEnd,
): AsyncGenerator<readonly RequestRow[]> {
  let left = limit;
  let last = "";
  for await (const page of pages) {
    const taken = page.slice(0, left);
    last = taken.at(-1)?.id ?? last;
    if (taken.length > 0) yield taken;
    left -= taken.length;
    if (taken.length === page.length) continue;
    end.next = encodeCursor(last);
    return;
  }
}

/** Yields the first part, then the rest. An error is logged and aborts the response, so that clients notice it. */
export async function* prependFirst(
  first: IteratorResult<string>,
  rest: AsyncGenerator<string>,
  context: RequestContext,
): AsyncGenerator<string> {
  if (first.done) return;
  yield first.value;
  try {
    yield* rest;
  } catch (cause) {
    context.recordError(
      new GatewayError("store_unavailable", "The ledger could not be read to its end.", { cause }),
    );
    throw cause;
  }
}

/** Formats pages of rows as the text of an export, page by page. @param end read after the last page. */
export async function* formatExport(
  pages: AsyncIterable<readonly RequestRow[]>,
  format: Format,
  end: PageEnd = { next: undefined },
): AsyncGenerator<string> {
  const { head, between, formatTail, formatRow } = SHAPES[format];
  let before = head;
  let empty = true;
  for await (const page of pages) {
    yield before + page.map((row) => formatRow(toRequestJson(row))).join(between);
    before = between;
    empty = false;
  }
  const tail = formatTail(end);
  yield empty ? head + tail : tail;
}

type RequestJson = Readonly<Record<string, string | number | boolean | null>>;

function toRequestJson({ settle_at: _at, settle_attempts: _attempts, ...row }: RequestRow): RequestJson {
  return {
    ...row,
    stream: row.stream === 1,
    is_byok: row.is_byok === null ? null : row.is_byok === 1,
    started_at: formatTimestamp(row.started_at),
    ended_at: formatOptionalTimestamp(row.ended_at),
    reserved_usd: row.reserved_nanodollars === null ? null : formatUsd(row.reserved_nanodollars),
    cost_usd: row.cost_nanodollars === null ? null : formatUsd(row.cost_nanodollars),
  };
}

const CSV_COLUMNS = [...Object.keys(EXPORTED_COLUMNS), "reserved_usd", "cost_usd"];

interface Shape {
  readonly head: string;
  readonly between: string;
  readonly formatTail: (end: PageEnd) => string;
  readonly formatRow: (row: RequestJson) => string;
}

const SHAPES: Readonly<Record<Format, Shape>> = {
  json: {
    head: '{"data":[',
    between: ",\n",
    formatTail: ({ next }) => (next === undefined ? "]}\n" : `],"next_cursor":${JSON.stringify(next)}}\n`),
    formatRow: (row) => JSON.stringify(row),
  },
  ndjson: { head: "", between: "", formatTail: () => "", formatRow: (row) => `${JSON.stringify(row)}\n` },
  csv: {
    head: formatCsvLine(CSV_COLUMNS),
    between: "",
    formatTail: () => "",
    formatRow: (row) => formatCsvLine(CSV_COLUMNS.map((name) => row[name])),
  },
};
