import { Readable } from "node:stream";
import { z } from "zod";
import type { KeyService } from "../keys/key-service.ts";
import type { Database } from "../store/database.ts";
import { requestPages } from "../store/request-pages.ts";
import { REQUEST_COLUMNS, type RequestRow } from "../store/request-row.ts";
import { usdText } from "../usage/money.ts";
import type { AdminScope } from "./admin-api.ts";
import { csvLine } from "./csv.ts";
import { keyIdOf } from "./key-id.ts";
import { periodFields, periodOf } from "./period.ts";
import { isoOf } from "./wire.ts";

const STATES = ["open", "pending", "settled", "unknown"] as const;
const FORMATS = ["json", "ndjson", "csv"] as const;
type Format = (typeof FORMATS)[number];

const requestsQuery = z.strictObject({
  ...periodFields,
  key: z.string().optional().describe("Id or name"),
  state: z.enum(STATES, { error: `must be one of ${STATES.join(", ")}` }).optional(),
  format: z.enum(FORMATS, { error: `must be one of ${FORMATS.join(", ")}` }).default("json"),
});

const TYPES: Readonly<Record<Format, string>> = {
  json: "application/json",
  ndjson: "application/x-ndjson",
  csv: "text/csv; charset=utf-8",
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
      },
    },
    async ({ query }, reply) => {
      const { key, format, state, ...period } = query;
      const filter = { ...periodOf(period, Date.now()), keyId: await keyIdOf(keys, key), state };
      return reply.type(TYPES[format]).send(Readable.from(exportOf(requestPages(database, filter), format)));
    },
  );
}

/** Makes of pages of rows the text of an export, page by page. */
export async function* exportOf(
  pages: AsyncIterable<readonly RequestRow[]>,
  format: Format,
): AsyncGenerator<string> {
  if (format === "csv") yield csvLine(COLUMNS);
  if (format === "json") yield '{"data":[';
  let separator = "";
  for await (const page of pages) {
    const rows = page.map(toWireRequest);
    if (format === "csv") yield rows.map((row) => csvLine(COLUMNS.map((name) => row[name]))).join("");
    else if (format === "ndjson") yield rows.map((row) => `${JSON.stringify(row)}\n`).join("");
    else yield separator + rows.map((row) => JSON.stringify(row)).join(",\n");
    separator = ",\n";
  }
  if (format === "json") yield "]}\n";
}

/** How the ledger settles a row is its own affair. */
const COLUMNS = [
  ...REQUEST_COLUMNS.map(([name]) => name).filter((name) => !name.startsWith("settle_")),
  "cost_usd",
];

type WireRequest = Readonly<Record<string, string | number | boolean | null>>;

function toWireRequest({ settle_at: _at, settle_attempts: _attempts, ...row }: RequestRow): WireRequest {
  return {
    ...row,
    stream: row.stream === 1,
    started_at: isoOf(row.started_at),
    ended_at: row.ended_at === null ? null : isoOf(row.ended_at),
    cost_usd: row.cost_nanodollars === null ? null : usdText(row.cost_nanodollars),
  };
}
