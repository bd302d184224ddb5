import { Readable } from "node:stream";
import { z } from "zod";
import { GatewayError } from "../errors.ts";
import type { Exchange } from "../http/exchange.ts";
import type { KeyService } from "../keys/key-service.ts";
import type { Database } from "../store/database.ts";
import { requestPages } from "../store/request-pages.ts";
import { REQUEST_COLUMNS, type RequestRow } from "../store/request-row.ts";
import { usdText } from "../usage/money.ts";
import type { AdminScope } from "./admin-api.ts";
import { csvLine } from "./csv.ts";
import { keyIdOf } from "./key-id.ts";
import { periodFields, periodOf } from "./period.ts";
import { errorAnswers, isoOf, keyQuery } from "./wire.ts";

const STATES = ["open", "pending", "settled", "unknown"] as const;
const FORMATS = ["json", "ndjson", "csv"] as const;
type Format = (typeof FORMATS)[number];

const requestsQuery = z.strictObject({
  ...periodFields,
  key: keyQuery,
  state: z.enum(STATES, { error: `must be one of ${STATES.join(", ")}` }).optional(),
  format: z.enum(FORMATS, { error: `must be one of ${FORMATS.join(", ")}` }).default("json"),
});

const TYPES: Readonly<Record<Format, string>> = {
  json: "application/json",
  ndjson: "application/x-ndjson",
  csv: "text/csv; charset=utf-8",
};

const wireRow = z.object({
  ...Object.fromEntries(
    REQUEST_COLUMNS.filter(([name]) => !name.startsWith("settle_")).map(([name, type]) => [
      name,
      (type === "text" ? z.string() : z.int()).nullable(),
    ]),
  ),
  stream: z.boolean(),
  is_byok: z.boolean().nullable().describe("Whether the account's own key at the provider was used"),
  upstream_inference_nanodollars: z
    .int()
    .nullable()
    .describe("What the provider charges: with BYOK on top of the cost, otherwise part of it"),
  state: z.enum(STATES),
  started_at: z.string(),
  ended_at: z.string().nullable(),
  cost_usd: z.string().nullable().describe("Exact, in decimal digits"),
});
const requestsAnswer = {
  description: "Rows of the ledger, streamed",
  content: {
    "application/json": { schema: z.object({ data: z.array(wireRow) }) },
    "application/x-ndjson": { schema: z.string().describe("One row in each line") },
    "text/csv": { schema: z.string().describe("A head, and one row in each line (RFC 4180)") },
  },
};

/** `GET /admin/v1/requests`: the rows of the ledger, streamed as they are read. */
export function requestRoutes(scope: AdminScope, keys: KeyService, database: Database): void {
  scope.get(
    "/requests",
    {
      schema: {
        tags: ["usage"],
        summary: "Every request, oldest first, as JSON, as lines of JSON, or as CSV",
        querystring: requestsQuery,
        response: { 200: requestsAnswer, ...errorAnswers },
      },
    },
    async ({ query, exchange }, reply) => {
      const { key, format, state, ...period } = query;
      const filter = { ...periodOf(period, Date.now()), keyId: await keyIdOf(keys, key), state };
      const text = exportOf(requestPages(database, filter), format);
      // Read before the answer begins: a failure can still be answered.
      const first = await text.next();
      return reply.type(TYPES[format]).send(Readable.from(goOn(first, text, exchange)) as never);
    },
  );
}

/** Gives what has been read and then the rest. A failure breaks the answer off, which callers notice, and is logged. */
export async function* goOn(
  first: IteratorResult<string>,
  rest: AsyncGenerator<string>,
  exchange: Exchange,
): AsyncGenerator<string> {
  if (first.done) return;
  yield first.value;
  try {
    yield* rest;
  } catch (cause) {
    exchange.fail(new GatewayError("store_unavailable", "The ledger was not read to its end.", { cause }));
    throw cause;
  }
}

/** Makes of pages of rows the text of an export, page by page. */
export async function* exportOf(
  pages: AsyncIterable<readonly RequestRow[]>,
  format: Format,
): AsyncGenerator<string> {
  const { head, between, tail, textOf } = SHAPES[format];
  let before = head;
  let empty = true;
  for await (const page of pages) {
    yield before + page.map((row) => textOf(toWireRequest(row))).join(between);
    before = between;
    empty = false;
  }
  yield empty ? head + tail : tail;
}

type WireRequest = Readonly<Record<string, string | number | boolean | null>>;

function toWireRequest({ settle_at: _at, settle_attempts: _attempts, ...row }: RequestRow): WireRequest {
  return {
    ...row,
    stream: row.stream === 1,
    is_byok: row.is_byok === null ? null : row.is_byok === 1,
    started_at: isoOf(row.started_at),
    ended_at: row.ended_at === null ? null : isoOf(row.ended_at),
    cost_usd: row.cost_nanodollars === null ? null : usdText(row.cost_nanodollars),
  };
}

/** How the ledger settles a row is its own affair. */
const COLUMNS = [
  ...REQUEST_COLUMNS.map(([name]) => name).filter((name) => !name.startsWith("settle_")),
  "cost_usd",
];

interface Shape {
  readonly head: string;
  readonly between: string;
  readonly tail: string;
  readonly textOf: (row: WireRequest) => string;
}

const SHAPES: Readonly<Record<Format, Shape>> = {
  json: { head: '{"data":[', between: ",\n", tail: "]}\n", textOf: (row) => JSON.stringify(row) },
  ndjson: { head: "", between: "", tail: "", textOf: (row) => `${JSON.stringify(row)}\n` },
  csv: {
    head: csvLine(COLUMNS),
    between: "",
    tail: "",
    textOf: (row) => csvLine(COLUMNS.map((name) => row[name])),
  },
};
