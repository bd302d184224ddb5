import type { Outcome } from "../http/request-context.ts";
import {
  BIGINT,
  type Column,
  describeColumn,
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

export const OUTCOMES: readonly RecordedOutcome[] = [
  "complete",
  "client_gone",
  "upstream_error",
  "rejected",
  INTERRUPTED,
];

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

/** Meaning of the token counts. */
const TOKEN_DESCRIPTIONS: Readonly<Record<TokenCount, string>> = {
  prompt_tokens: "Tokens of the prompt",
  completion_tokens: "Tokens of the response, with the tokens of its reasoning",
  cached_tokens: "The part of the prompt tokens that was read from the provider's cache",
  cache_write_tokens: "Tokens that were written to the provider's cache",
  reasoning_tokens: "The part of the completion tokens that was reasoning",
  prompt_audio_tokens: "The part of the prompt tokens that was audio",
};

/** All columns of a record, in the order of exports. */
export const REQUEST_COLUMNS = {
  /** Sorting by id sorts by the start of the requests, see {@link toRowIdPrefix}. */
  id: describeColumn(TEXT, "Id of the row; rows of later requests have greater ids"),
  request_id: describeColumn(TEXT, "Value of the header x-request-id, which a client may choose"),
  generation_id: describeColumn(NULLABLE_TEXT, "OpenRouter's id of the generation; null: not received"),
  instance: describeColumn(TEXT, "Id of the gateway process that served the request"),
  key_id: describeColumn(TEXT, "Id of the key"),
  key_name: describeColumn(TEXT, "Name of the key when the request began"),
  endpoint: describeColumn(TEXT, "Path of the endpoint below the base URL, such as chat/completions"),
  session: describeColumn(
    NULLABLE_TEXT,
    "The client's id of the session, which groups requests and never decides about access; null: none",
  ),
  group_id: describeColumn(NULLABLE_TEXT, "Id of the group of the key when the request began; null: none"),
  /** From the source that the settings of the key name. */
  end_user: describeColumn(
    NULLABLE_TEXT,
    "The end user as the client named it, which never decides about access; null: none",
  ),
  requested_model: describeColumn(NULLABLE_TEXT, "Id of the first model as the client sent it"),
  forwarded_model: describeColumn(
    NULLABLE_TEXT,
    "Id of this model as it was sent to OpenRouter: without the prefix openrouter/, and the target of an alias",
  ),
  response_model: describeColumn(NULLABLE_TEXT, "Id of the model that OpenRouter's response names"),
  provider: describeColumn(NULLABLE_TEXT, "Name of the provider that served the request"),
  stream: describeColumn(INTEGER, "Whether the client asked for a stream"),
  status: describeColumn(INTEGER, "HTTP status of the response; 0: no response was sent"),
  outcome: describeColumn(
    NULLABLE_TEXT as Column<RecordedOutcome | null>,
    "How the request ended: complete; upstream_error: OpenRouter failed or sent an error; client_gone: the client disconnected; rejected: the gateway sent an error of its own; interrupted: the gateway process died; null: in flight",
  ),
  state: describeColumn(
    TEXT as Column<State>,
    "open: in flight; pending: ended, and its cost is not known yet; settled: its cost is known; unknown: its cost will never be known",
  ),
  ...mapTokenCounts((name) =>
    describeColumn(NULLABLE_BIGINT, `${TOKEN_DESCRIPTIONS[name]}; null: OpenRouter did not state it`),
  ),
  cost_nanodollars: describeColumn(
    NULLABLE_BIGINT,
    "The cost that OpenRouter charges, in nanodollars (1e-9 US dollars); null: not known",
  ),
  cost_source: describeColumn(
    NULLABLE_TEXT as Column<CostSource | null>,
    "Source of the cost: stream or body: OpenRouter's response; generation: its record of the generation; operator: stated by an operator; none: nothing was charged; unknown: it will never be known",
  ),
  is_byok: describeColumn(
    NULLABLE_INTEGER,
    "Whether the account's own key at the provider was used (BYOK); null: OpenRouter did not state it",
  ),
  upstream_inference_nanodollars: describeColumn(
    NULLABLE_BIGINT,
    "The provider's charge in nanodollars (1e-9 US dollars): with BYOK in addition to the cost, otherwise part of it",
  ),
  reserved_nanodollars: describeColumn(
    NULLABLE_BIGINT,
    "The worst-case cost that hard budgets reserved, in nanodollars (1e-9 US dollars); null: nothing was reserved",
  ),
  reserved_in: describeColumn(
    NULLABLE_TEXT,
    "The hard budgets that reserved money for the request, such as key:day,group:month; null: none",
  ),
  first_byte_ms: describeColumn(
    NULLABLE_BIGINT,
    "Time from the start of the request to the first byte of the response, in ms; null: no byte was sent",
  ),
  total_ms: describeColumn(NULLABLE_BIGINT, "Duration of the request in ms; null: in flight"),
  bytes_in: describeColumn(BIGINT, "Size of the request body in bytes"),
  bytes_out: describeColumn(BIGINT, "Part of the response body that was sent to the client, in bytes"),
  started_at: describeColumn(BIGINT, "Start of the request"),
  ended_at: describeColumn(NULLABLE_BIGINT, "End of the request; null: in flight"),
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

/** Whether a request cost more than hard budgets had reserved for it. */
export function isAboveReservation({
  reserved_in,
  reserved_nanodollars,
  cost_nanodollars,
}: Pick<RequestRow, "reserved_in" | "reserved_nanodollars" | "cost_nanodollars">): boolean {
  return reserved_in !== null && (cost_nanodollars ?? 0) > (reserved_nanodollars ?? 0);
}

/** Numbers of requests by their result. */
export const RESULT_COUNTS = ["failed_requests", "cancelled_requests"] as const;

/** The sums in rollups and reports, in the order of reports. */
export const SUMS = [
  "requests",
  "unknown_requests",
  ...TOKEN_COUNTS,
  ...RESULT_COUNTS,
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
