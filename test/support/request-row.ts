import type { RequestRow } from "../../src/metering/record.ts";

export const HOUR_MS = 3_600_000;
export const STARTED_AT = 1_790_000_000_000 - (1_790_000_000_000 % HOUR_MS);

/** A row of the ledger that is under way; `fields` replace what it has. */
export function createRequestRow(id: string, fields: Partial<RequestRow> = {}): RequestRow {
  return {
    id,
    request_id: `r-${id}`,
    generation_id: null,
    instance: "me",
    key_id: "key_1",
    key_name: "team",
    requested_model: "a/b",
    forwarded_model: "a/b",
    response_model: null,
    provider: null,
    stream: 1,
    status: 0,
    outcome: null,
    state: "open",
    prompt_tokens: null,
    completion_tokens: null,
    cached_tokens: null,
    cache_write_tokens: null,
    reasoning_tokens: null,
    cost_nanodollars: null,
    cost_source: null,
    is_byok: null,
    upstream_inference_nanodollars: null,
    first_byte_ms: null,
    total_ms: null,
    bytes_in: 10,
    bytes_out: 0,
    started_at: STARTED_AT,
    ended_at: null,
    settle_attempts: 0,
    settle_at: null,
    ...fields,
  };
}
