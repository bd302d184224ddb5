import type { Selectable } from "kysely";
import type { Columns } from "../store/bulk-insert.ts";
import type { RequestTable } from "../store/tables.ts";

/** A row of the ledger, whole. */
export type RequestRow = Selectable<RequestTable>;

/** Every column with its type in PostgreSQL, in the order in which rows are written. */
export const REQUEST_COLUMNS: Columns<RequestRow> = [
  ["id", "text"],
  ["request_id", "text"],
  ["generation_id", "text"],
  ["instance", "text"],
  ["key_id", "text"],
  ["key_name", "text"],
  ["requested_model", "text"],
  ["forwarded_model", "text"],
  ["response_model", "text"],
  ["provider", "text"],
  ["stream", "int"],
  ["status", "int"],
  ["outcome", "text"],
  ["state", "text"],
  ["prompt_tokens", "bigint"],
  ["completion_tokens", "bigint"],
  ["cached_tokens", "bigint"],
  ["cache_write_tokens", "bigint"],
  ["reasoning_tokens", "bigint"],
  ["cost_nanodollars", "bigint"],
  ["cost_source", "text"],
  ["is_byok", "int"],
  ["upstream_inference_nanodollars", "bigint"],
  ["first_byte_ms", "bigint"],
  ["total_ms", "bigint"],
  ["bytes_in", "bigint"],
  ["bytes_out", "bigint"],
  ["started_at", "bigint"],
  ["ended_at", "bigint"],
  ["settle_attempts", "int"],
  ["settle_at", "bigint"],
];

/** States of rows that are counted, and that nothing changes any more but a bill that turns up late. */
export const FINAL_STATES: readonly RequestRow["state"][] = ["settled", "unknown"];

/** Whether a row has been counted. */
export function isFinal({ state }: Pick<RequestRow, "state">): boolean {
  return state === "settled" || state === "unknown";
}
