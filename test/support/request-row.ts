import { HOUR_MS } from "../../src/durations.ts";
import { EMPTY_ROW, type RequestRow } from "../../src/metering/record.ts";

export const STARTED_AT = 1_790_000_000_000 - (1_790_000_000_000 % HOUR_MS);

/** Creates an open row of the ledger. `fields` replace its fields. */
export function createRequestRow(id: string, fields: Partial<RequestRow> = {}): RequestRow {
  return {
    ...EMPTY_ROW,
    id,
    request_id: `r-${id}`,
    instance: "me",
    key_id: "key_1",
    key_name: "team",
    endpoint: "chat/completions",
    session: null,
    group_id: null,
    end_user: null,
    reserved_nanodollars: null,
    reserved_in: null,
    requested_model: "a/b",
    forwarded_model: "a/b",
    stream: 1,
    state: "open",
    bytes_in: 10,
    started_at: STARTED_AT,
    ...fields,
  };
}
