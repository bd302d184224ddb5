import type { Outcome } from "../http/request-context.ts";
import {
  BIGINT,
  type Column,
  INTEGER,
  NULLABLE_BIGINT,
  NULLABLE_INTEGER,
  NULLABLE_TEXT,
  type RowOf,
  TEXT,
} from "../store/columns.ts";

// The definition of a ledger record, one for each chat completion that was admitted. What writes, sums, settles, reports or
// exports records derives from it. Times are ms since 1970 (UTC), money is nanodollars (1e-9 USD), booleans are 0 or 1.

/** States of a record: in flight, ended without its cost, with its cost, without hope of it. */
export const STATE = { open: "open", pending: "pending", settled: "settled", unknown: "unknown" } as const;
export type State = (typeof STATE)[keyof typeof STATE];

export const STATES: readonly State[] = Object.values(STATE);

/** States of records that are counted; only a bill that turns up late changes them. */
export const FINAL_STATES: readonly State[] = [STATE.settled, STATE.unknown];

/** Which states may replace each. `sql/upsert.ts`, `sql/settlements.ts` and `sql/instances.ts` say under which conditions. */
export const TRANSITIONS: Readonly<Record<State, readonly State[]>> = {
  open: [STATE.open, STATE.pending, STATE.settled, STATE.unknown],
  pending: [STATE.pending, STATE.settled, STATE.unknown],
  unknown: [STATE.pending, STATE.settled],
  settled: [],
};

/** The outcome of a request whose process died. */
export const INTERRUPTED = "interrupted";

/** Where a cost is from: the end of a stream, a body, OpenRouter's record of the generation, or nothing was charged. */
export type CostSource = "stream" | "body" | "generation" | "none" | "unknown";

/** Counts of tokens, as OpenRouter states them. They are columns of records, of rollups and of reports. */
export const TOKEN_COUNTS = [
  "prompt_tokens",
  "completion_tokens",
  "cached_tokens",
  "cache_write_tokens",
  "reasoning_tokens",
  "prompt_audio_tokens",
] as const;
export type TokenCount = (typeof TOKEN_COUNTS)[number];
/** Counts by name; those that were not stated are absent or undefined. */
export type TokenCounts = Readonly<Partial<Record<TokenCount, number | undefined>>>;

/** Makes an object with one value for each count of tokens. */
export function mapTokenCounts<T>(toValue: (name: TokenCount) => T): Record<TokenCount, T> {
  return Object.fromEntries(TOKEN_COUNTS.map((name) => [name, toValue(name)])) as Record<TokenCount, T>;
}

/** Every column, in the order in which records are exported. */
export const REQUEST_COLUMNS = {
  /** Ids are in the order of the beginning of their requests, see {@link toRowIdPrefix}. */
  id: TEXT,
  /** As in `x-request-id`, which a caller may choose. */
  request_id: TEXT,
  generation_id: NULLABLE_TEXT,
  instance: TEXT,
  key_id: TEXT,
  key_name: TEXT,
  requested_model: NULLABLE_TEXT,
  forwarded_model: NULLABLE_TEXT,
  response_model: NULLABLE_TEXT,
  provider: NULLABLE_TEXT,
  stream: INTEGER,
  status: INTEGER,
  outcome: NULLABLE_TEXT as Column<Outcome | typeof INTERRUPTED | null>,
  state: TEXT as Column<State>,
  ...mapTokenCounts(() => NULLABLE_BIGINT),
  cost_nanodollars: NULLABLE_BIGINT,
  cost_source: NULLABLE_TEXT as Column<CostSource | null>,
  /** Whether the account's own key at the provider was used; null: upstream did not say. */
  is_byok: NULLABLE_INTEGER,
  /** What the provider charges; part of the cost, unless it is BYOK. */
  upstream_inference_nanodollars: NULLABLE_BIGINT,
  first_byte_ms: NULLABLE_BIGINT,
  total_ms: NULLABLE_BIGINT,
  bytes_in: BIGINT,
  bytes_out: BIGINT,
  started_at: BIGINT,
  ended_at: NULLABLE_BIGINT,
  /** How many cost lookups found no bill. */
  settle_attempts: INTEGER,
  /** When the cost may be looked up next, which also is how a replica claims a record. */
  settle_at: NULLABLE_BIGINT,
};

export type RequestColumn = keyof typeof REQUEST_COLUMNS;

/** A record as one row of the ledger. */
export type RequestRow = RowOf<typeof REQUEST_COLUMNS>;

declare module "../store/database.ts" {
  interface Tables {
    requests: RequestRow;
  }
}

/** A row without a value: null, 0 or the empty text. */
export const EMPTY_ROW = Object.fromEntries(
  Object.entries(REQUEST_COLUMNS).map(([name, { isNullable, sqlType }]) => [
    name,
    isNullable ? null : sqlType === "text" ? "" : 0,
  ]),
) as RequestRow;

/** What a record says whose cost cannot be known any more. */
export const UNKNOWN_COST = {
  state: STATE.unknown,
  cost_source: "unknown",
} as const satisfies Partial<RequestRow>;

/** Whether a record is counted. */
export function isFinal({ state }: Pick<RequestRow, "state">): boolean {
  return FINAL_STATES.includes(state);
}

/** What rollups and reports sum, in the order of reports. */
export const SUMS = [
  "requests",
  "unknown_requests",
  ...TOKEN_COUNTS,
  "cost_nanodollars",
  "byok_nanodollars",
] as const;
export type Sum = (typeof SUMS)[number];

const NO_SUMS = Object.fromEntries(SUMS.map((sum) => [sum, 0])) as Record<Sum, number>;

/** What a final record adds to the sums. */
export function toSums(row: RequestRow): Record<Sum, number> {
  const sums = {
    ...NO_SUMS,
    requests: 1,
    unknown_requests: row.state === STATE.unknown ? 1 : 0,
    cost_nanodollars: row.cost_nanodollars ?? 0,
    // Otherwise it is part of the cost.
    byok_nanodollars: row.is_byok === 1 ? (row.upstream_inference_nanodollars ?? 0) : 0,
  };
  for (const name of TOKEN_COUNTS) sums[name] = row[name] ?? 0;
  return sums;
}

/** This many digits to the base of 36 last until the year 5188. */
const ID_TIME_DIGITS = 9;

/**
 * Formats the time that ids of records begin with, so that ids are in the order of the beginning of their requests.
 * @param ms since 1970. @returns what is less than every id of a request that began at this time or later.
 */
export function toRowIdPrefix(ms: number): string {
  return Math.max(0, Math.floor(ms)).toString(36).padStart(ID_TIME_DIGITS, "0");
}
