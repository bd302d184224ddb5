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
import { isCancelled, isFailed } from "./request-results.ts";

// The definition of a ledger record. The ledger has one record for each admitted request to a model. The code that writes,
// sums, settles, reports and exports records derives its columns from here. Times are ms since 1970 (UTC), money is in
// nanodollars (1e-9 USD), booleans are 0 or 1.

/** States of a record: in flight; ended, cost not known yet; cost known; cost will never be known. */
export const STATE = { open: "open", pending: "pending", settled: "settled", unknown: "unknown" } as const;
export type State = (typeof STATE)[keyof typeof STATE];

export const STATES: readonly State[] = Object.values(STATE);

/** States of records that are counted in the rollups. Such a record changes only if an unknown cost becomes known later. */
export const FINAL_STATES: readonly State[] = [STATE.settled, STATE.unknown];

/**
 * The states that may follow each state. The conditions are in `sql/upsert.ts`, `sql/settlements.ts` and `sql/instances.ts`.
 */
export const TRANSITIONS: Readonly<Record<State, readonly State[]>> = {
  open: [STATE.open, STATE.pending, STATE.settled, STATE.unknown],
  pending: [STATE.pending, STATE.settled, STATE.unknown],
  unknown: [STATE.pending, STATE.settled],
  settled: [],
};

/** The outcome of a request whose process died. */
export const INTERRUPTED = "interrupted";

/** How a request ended, as its record states it. */
export type RecordedOutcome = Outcome | typeof INTERRUPTED;

/** Outcomes of failed requests. A client that disconnects cancels its request: that is no failure. */
export const FAILED_OUTCOMES: readonly RecordedOutcome[] = ["upstream_error", "rejected", INTERRUPTED];

export const OUTCOMES: readonly RecordedOutcome[] = ["complete", "client_gone", ...FAILED_OUTCOMES];

/**
 * Source of a cost: the end of a stream, a body, or OpenRouter's record of the generation. `operator`: an operator stated it.
 * `none`: nothing was charged. `unknown`: the cost will never be known.
 */
export type CostSource = "stream" | "body" | "generation" | "operator" | "none" | "unknown";

/** Token counts, as OpenRouter states them: columns of records, rollups and reports. */
export const TOKEN_COUNTS = [
  "prompt_tokens",
  "completion_tokens",
  "cached_tokens",
  "cache_write_tokens",
  "reasoning_tokens",
  "prompt_audio_tokens",
] as const;
export type TokenCount = (typeof TOKEN_COUNTS)[number];
/** Token counts by name. A count that OpenRouter did not state is absent or undefined. */
export type TokenCounts = Readonly<Partial<Record<TokenCount, number | undefined>>>;

/** Creates an object with one value for each token count. */
export function mapTokenCounts<T>(toValue: (name: TokenCount) => T): Record<TokenCount, T> {
  return Object.fromEntries(TOKEN_COUNTS.map((name) => [name, toValue(name)])) as Record<TokenCount, T>;
}

/** All columns of a record, in the order of exports. */
export const REQUEST_COLUMNS = {
  /** Sorting by id sorts by the start of the requests, see {@link toRowIdPrefix}. */
  id: TEXT,
  /** The value of `x-request-id`, which a client may choose. */
  request_id: TEXT,
  generation_id: NULLABLE_TEXT,
  instance: TEXT,
  key_id: TEXT,
  key_name: TEXT,
  /** Path of the endpoint below the base URL, such as `chat/completions`. */
  endpoint: TEXT,
  /** The client's id of the session. It groups requests, and never decides about access. */
  session: NULLABLE_TEXT,
  /** Id of the group that the key belonged to. */
  group_id: NULLABLE_TEXT,
  /** The name of the end user, from the source that the settings of the key name. It never decides about access. */
  end_user: NULLABLE_TEXT,
  requested_model: NULLABLE_TEXT,
  forwarded_model: NULLABLE_TEXT,
  response_model: NULLABLE_TEXT,
  provider: NULLABLE_TEXT,
  stream: INTEGER,
  status: INTEGER,
  outcome: NULLABLE_TEXT as Column<RecordedOutcome | null>,
  state: TEXT as Column<State>,
  ...mapTokenCounts(() => NULLABLE_BIGINT),
  cost_nanodollars: NULLABLE_BIGINT,
  cost_source: NULLABLE_TEXT as Column<CostSource | null>,
  /** Whether the account's own key at the provider was used (BYOK); null if upstream did not state it. */
  is_byok: NULLABLE_INTEGER,
  /** The provider's charge. It is part of the cost, except with BYOK. */
  upstream_inference_nanodollars: NULLABLE_BIGINT,
  /** The worst-case cost that was reserved in hard budgets; null: nothing was reserved. */
  reserved_nanodollars: NULLABLE_BIGINT,
  /** The budgets with the reservation, such as `key:day,group:month`. */
  reserved_in: NULLABLE_TEXT,
  first_byte_ms: NULLABLE_BIGINT,
  total_ms: NULLABLE_BIGINT,
  bytes_in: BIGINT,
  bytes_out: BIGINT,
  started_at: BIGINT,
  ended_at: NULLABLE_BIGINT,
  /** Number of cost lookups that returned no final cost. */
  settle_attempts: INTEGER,
  /** Earliest time of the next cost lookup. A replica claims a record by moving this time ahead. */
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

/** A row whose columns are all empty: null, 0 or the empty string. */
export const EMPTY_ROW = Object.fromEntries(
  Object.entries(REQUEST_COLUMNS).map(([name, { isNullable, sqlType }]) => [
    name,
    isNullable ? null : sqlType === "text" ? "" : 0,
  ]),
) as RequestRow;

/** The columns of a record whose cost will never be known. */
export const UNKNOWN_COST = {
  state: STATE.unknown,
  cost_source: "unknown",
} as const satisfies Partial<RequestRow>;

/** Whether a record is counted in the rollups. */
export function isFinal({ state }: Pick<RequestRow, "state">): boolean {
  return FINAL_STATES.includes(state);
}

/** Whether a request has failed: upstream or the gateway responded with an error, or the process of the request died. */
export function isFailed({ outcome }: Pick<RequestRow, "outcome">): boolean {
  return outcome !== null && FAILED_OUTCOMES.includes(outcome);
}

/** Whether a request cost more than hard budgets had reserved for it. */
export function isAboveReservation({
  reserved_in,
  reserved_nanodollars,
  cost_nanodollars,
}: Pick<RequestRow, "reserved_in" | "reserved_nanodollars" | "cost_nanodollars">): boolean {
  return reserved_in !== null && (cost_nanodollars ?? 0) > (reserved_nanodollars ?? 0);
}

/** The sums in rollups and reports, in the order of reports. */
export const SUMS = [
  "requests",
  "unknown_requests",
  ...TOKEN_COUNTS,
  "failed_requests",
  "cancelled_requests",
  "cost_nanodollars",
  "byok_nanodollars",
] as const;
export type Sum = (typeof SUMS)[number];

const NO_SUMS = Object.fromEntries(SUMS.map((sum) => [sum, 0])) as Record<Sum, number>;

/** Returns the amounts that a final record adds to the sums. */
export function toSums(row: RequestRow): Record<Sum, number> {
  const sums = {
    ...NO_SUMS,
    requests: 1,
    unknown_requests: row.state === STATE.unknown ? 1 : 0,
    failed_requests: isFailed(row) ? 1 : 0,
    cancelled_requests: isCancelled(row) ? 1 : 0,
    cost_nanodollars: row.cost_nanodollars ?? 0,
    // Without BYOK, the provider's charge is already part of the cost.
    byok_nanodollars: row.is_byok === 1 ? (row.upstream_inference_nanodollars ?? 0) : 0,
  };
  for (const name of TOKEN_COUNTS) sums[name] = row[name] ?? 0;
  return sums;
}

/** This many base-36 digits are sufficient until the year 5188. */
const ID_TIME_DIGITS = 9;

/**
 * Formats the start time of a request as the prefix of its record's id, so that sorting by id sorts by start time.
 * @param ms since 1970. @returns text that sorts before the id of every request that started at this time or later.
 */
export function toRowIdPrefix(ms: number): string {
  return Math.max(0, Math.floor(ms)).toString(36).padStart(ID_TIME_DIGITS, "0");
}

/** Parses the start time of a request from the id of its record. @returns ms since 1970. */
export function parseRowIdTime(id: string): number {
  return Number.parseInt(id.slice(0, ID_TIME_DIGITS), 36);
}
