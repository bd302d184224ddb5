import { z } from "zod";
import { OUTCOMES, REQUEST_COLUMNS, type RequestRow, STATES } from "../metering/record.ts";
import { formatUsd } from "../money.ts";
import {
  describeOptionalTimestamp,
  describeTimestamp,
  formatOptionalTimestamp,
  formatTimestamp,
} from "./timestamp.ts";

// The JSON of ledger rows in the admin API. The dashboard imports the types.

/** Columns that control cost lookups. Lists omit them; the record of one request states them as `settlement`. */
type SettlementColumn = "settle_attempts" | "settle_at";

const { settle_attempts: _hiddenAttempts, settle_at: _hiddenAt, ...EXPORTED_COLUMNS } = REQUEST_COLUMNS;

type ExportedRow = Omit<RequestRow, SettlementColumn>;

/** A row of the ledger as JSON. */
export type RequestJson = Omit<ExportedRow, "stream" | "is_byok" | "started_at" | "ended_at"> & {
  stream: boolean;
  is_byok: boolean | null;
  started_at: string;
  ended_at: string | null;
  reserved_usd: string | null;
  cost_usd: string | null;
};

/** A page of rows as JSON. */
export interface RequestPageJson {
  data: RequestJson[];
  next_cursor: string | null;
  searched_to?: string;
}

/** The record of one request as JSON. */
export type RequestRecordJson = RequestJson & {
  settlement: { attempts: number; next_attempt_at: string | null };
};

const describeColumn = (name: keyof RequestRow): string => REQUEST_COLUMNS[name].description ?? "";

const columnFields = Object.fromEntries(
  Object.entries(EXPORTED_COLUMNS).map(([name, { sqlType, isNullable, description = "" }]) => {
    const type = sqlType === "text" ? z.string() : z.int();
    return [name, (isNullable ? type.nullable() : type).describe(description)];
  }),
);

/** A row of the ledger. */
export const requestSchema = z.object({
  ...columnFields,
  stream: z.boolean().describe(describeColumn("stream")),
  is_byok: z.boolean().nullable().describe(describeColumn("is_byok")),
  outcome: z.enum(OUTCOMES).nullable().describe(describeColumn("outcome")),
  state: z.enum(STATES).describe(describeColumn("state")),
  started_at: describeTimestamp("Start of the request"),
  ended_at: describeOptionalTimestamp("End of the request; null: in flight"),
  reserved_usd: z
    .string()
    .nullable()
    .describe("reserved_nanodollars in US dollars: exact, in decimal digits"),
  cost_usd: z.string().nullable().describe("cost_nanodollars in US dollars: exact, in decimal digits"),
});

/** A page of rows. */
export const requestPageSchema = z.object({
  data: z.array(requestSchema).describe("The requests, in the requested order"),
  next_cursor: z
    .string()
    .nullable()
    .optional()
    .describe("With `limit`: the `cursor` of the next page; null in the last page"),
  searched_to: describeTimestamp(
    "With `limit`, if the search took too long for a full page: start time of the last request that was searched. `next_cursor` continues the search",
  ).optional(),
});

/** The record of one request. */
export const requestRecordSchema = requestSchema
  .extend({
    settlement: z
      .object({
        attempts: z.int().describe("Number of cost lookups that returned no final cost"),
        next_attempt_at: describeOptionalTimestamp(
          "Earliest time of the next cost lookup; null: none is planned",
        ),
      })
      .describe("Lookups of the cost at OpenRouter"),
  })
  .describe("The record of one request");

/** Columns of CSV exports, in their order. */
export const REQUEST_CSV_COLUMNS = [
  ...Object.keys(EXPORTED_COLUMNS),
  "reserved_usd",
  "cost_usd",
] as readonly (keyof RequestJson)[];

/** Converts a row to its JSON shape. */
export function toRequestJson({
  settle_at: _at,
  settle_attempts: _attempts,
  ...row
}: RequestRow): RequestJson {
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

/** Converts a row to its JSON shape, with the state of its cost lookups. */
export function toRequestRecordJson(row: RequestRow): RequestRecordJson {
  return {
    ...toRequestJson(row),
    settlement: { attempts: row.settle_attempts, next_attempt_at: formatOptionalTimestamp(row.settle_at) },
  };
}
