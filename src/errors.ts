/** The party that caused an error. It decides the level of the log line. */
export type ErrorSource = "client" | "gateway" | "upstream";

interface ErrorKind {
  readonly status: number;
  readonly type: string;
  readonly source: ErrorSource;
  /** Default message, for errors whose message is always the same. */
  readonly message?: string;
  /** Sent as `retry-after`, in seconds. */
  readonly retryAfterS?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as `x-should-retry`, which the OpenAI SDKs obey. If absent, only errors that the client caused forbid it. */
  readonly retry?: boolean;
}

const BILLED = "the request may have been billed";

const invalid = { type: "invalid_request_error", source: "client" } as const;
const upstream = { type: "upstream_error", source: "upstream" } as const;
/** For a request that was sent upstream: OpenRouter may have billed it, and could bill a retry a second time. */
const maybeBilled = { ...upstream, retry: false } as const;

/** Every error that the gateway itself can send. The codes are those that OpenAI's SDKs and their users know. */
const TABLE = {
  invalid_api_key: { status: 401, type: "authentication_error", source: "client" },
  /** The session cookie of the dashboard is unknown, expired or signed out, or its key is no longer valid. */
  invalid_session: {
    status: 401,
    type: "authentication_error",
    source: "client",
    message: "There is no session, or it has ended; sign in again.",
    headers: { "www-authenticate": "Bearer" },
  },
  /** For a request with a session cookie, or a sign-in, that a page of another origin may have sent. */
  cross_origin_request: {
    status: 403,
    type: "permission_error",
    source: "client",
    message:
      "A session accepts requests only from pages of the gateway itself; open the dashboard at the address of the gateway. A proxy in front must forward the Host header.",
  },
  /** The key is valid, but its role is wrong: an admin key for a model, or a caller key for the admin API. */
  key_role_not_allowed: { status: 403, type: "permission_error", source: "client" },
  model_not_allowed: { status: 403, type: "permission_error", source: "client" },
  /** For a CORS preflight request from a web page whose origin is not in CORS_ORIGINS. */
  origin_not_allowed: {
    status: 403,
    type: "permission_error",
    source: "client",
    message:
      "This gateway does not accept requests from pages of this origin; ask its operator to add the origin to CORS_ORIGINS.",
  },
  key_not_found: {
    status: 404,
    ...invalid,
    message: "No key has this id or name; list the keys to find it.",
  },
  key_name_taken: {
    status: 409,
    ...invalid,
    message: "A key of this name exists; choose another name, or revoke the existing key.",
  },
  group_not_found: {
    status: 404,
    ...invalid,
    message: "No group of keys has this id or name; list the groups to find it, or create it.",
  },
  request_not_found: {
    status: 404,
    ...invalid,
    message: "No row of the ledger has this id; list the requests to find it. Old rows are deleted.",
  },
  group_name_taken: {
    status: 409,
    ...invalid,
    message: "A group of this name exists; choose another name, or delete the existing group.",
  },
  group_not_empty: {
    status: 409,
    ...invalid,
    message:
      "Keys belong to this group; move them to another group, or revoke them, and then delete the group.",
  },
  invalid_json: { status: 400, ...invalid },
  invalid_utf8: { status: 400, ...invalid, message: "The request body is not valid UTF-8." },
  duplicate_field: {
    status: 400,
    ...invalid,
    message: "The request body has a field more than once; send each field once.",
  },
  json_too_deep: { status: 400, ...invalid },
  json_too_complex: { status: 400, ...invalid },
  invalid_type: { status: 400, ...invalid },
  invalid_value: { status: 400, ...invalid },
  missing_required_parameter: { status: 400, ...invalid },
  bad_request: { status: 400, ...invalid, message: "The request could not be parsed, or it ended early." },
  /** For a known endpoint that this gateway does not have. It is a 400, because clients do not show the message of a 404. */
  unsupported_endpoint: { status: 400, ...invalid },
  unknown_url: { status: 404, ...invalid },
  model_not_found: { status: 404, ...invalid },
  generation_not_found: { status: 404, ...invalid },
  method_not_allowed: { status: 405, ...invalid },
  upgrade_not_supported: {
    status: 426,
    ...invalid,
    message: "The gateway does not upgrade connections; send the request by HTTP/1.1.",
    headers: { upgrade: "HTTP/1.1" },
  },
  request_timeout: { status: 408, ...invalid },
  request_too_large: {
    status: 413,
    ...invalid,
    message:
      "The request body is too large; send a smaller one, or ask the operator to raise BODY_LIMIT_BYTES.",
  },
  unsupported_media_type: { status: 415, ...invalid },
  unsupported_content_encoding: { status: 415, ...invalid },
  headers_too_large: { status: 431, ...invalid },
  /** The request could cost more than what is left of a budget. */
  budget_exceeded: { status: 402, type: "insufficient_quota", source: "client" },
  /** Requests in flight hold the rest of a budget. Part of it becomes available when they end. */
  budget_reserved: { status: 429, type: "rate_limit_error", source: "client", retryAfterS: 1 },
  /** A request of this key has cost more than was reserved for it. */
  key_blocked: { status: 402, type: "insufficient_quota", source: "client" },
  /** The cost of the request has no upper bound, and the key has a hard budget. */
  unbounded_cost: { status: 400, ...invalid },
  /** OpenRouter's account, or the limit of the gateway's key at OpenRouter, is used up. */
  account_exhausted: { status: 402, type: "insufficient_quota", source: "gateway", retry: false },
  rate_limit_exceeded: { status: 429, type: "rate_limit_error", source: "client" },
  /** The gateway is nearly at its limit of requests in flight, and the caller already has its share of them. */
  concurrency_limit_exceeded: { status: 429, type: "rate_limit_error", source: "client", retryAfterS: 1 },
  internal_error: {
    status: 500,
    type: "server_error",
    source: "gateway",
    message: "The gateway had an internal error; its log has the cause under the id of this request.",
  },
  /** Keys or ledger are unavailable. Nothing was sent upstream, so a retry is safe. */
  store_unavailable: { status: 503, type: "server_error", source: "gateway", retryAfterS: 2 },
  overloaded: { status: 503, type: "server_error", source: "gateway", retryAfterS: 1 },
  /** For a request that was sent upstream. A request that was not sent gets `overloaded`. */
  shutting_down: {
    status: 503,
    type: "server_error",
    source: "gateway",
    retry: false,
    message: `The gateway is shutting down; ${BILLED}.`,
  },
  upstream_unreachable: {
    status: 502,
    ...upstream,
    message: "OpenRouter could not be reached; nothing was sent, so it is safe to try again.",
  },
  upstream_disconnected: {
    status: 502,
    ...maybeBilled,
    message: `OpenRouter closed the connection before its response was complete; ${BILLED}.`,
  },
  upstream_bad_response: {
    status: 502,
    ...maybeBilled,
    message: `OpenRouter's response could not be parsed; ${BILLED}.`,
  },
  upstream_auth_failed: {
    status: 502,
    ...maybeBilled,
    message: "OpenRouter rejected the gateway's own key; the operator has to set a valid OPENROUTER_API_KEY.",
  },
  upstream_timeout: {
    status: 504,
    ...maybeBilled,
    message: `OpenRouter sent no data for too long; ${BILLED}.`,
  },
  /** For a response that is not complete within UPSTREAM_TOTAL_TIMEOUT_MS. */
  deadline_exceeded: {
    status: 504,
    ...maybeBilled,
    message: `OpenRouter did not complete its response within UPSTREAM_TOTAL_TIMEOUT_MS; ${BILLED}.`,
  },
  response_too_large: {
    status: 502,
    ...maybeBilled,
    message: `OpenRouter's response is longer than RESPONSE_LIMIT_BYTES; ${BILLED}.`,
  },
  /** Replaces an upstream error response whose body is not fit for an API client; keeps the upstream status. */
  upstream_error: { status: 502, ...upstream },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof TABLE;

/** Whether a text is the code of an error that the gateway sends. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(TABLE, text);
}

/** Returns the code and the default status of every error that the gateway sends. */
export function listErrors(): readonly { readonly code: string; readonly status: number }[] {
  return Object.entries(TABLE).map(([code, { status }]) => ({ code, status }));
}

/** Codes that have a default message. */
type CodeWithMessage = {
  [Code in ErrorCode]: (typeof TABLE)[Code] extends { message: string } ? Code : never;
}[ErrorCode];

/** Headers that keep the OpenAI SDKs from retrying. By default, they retry after every 408, 409, 429 and 5xx. */
export const NO_RETRY: Readonly<Record<string, string>> = { "x-should-retry": "false" };

interface Details {
  /** Path of the invalid field, such as `messages[0].role`. */
  readonly param?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** Overrides the default status of the code. */
  readonly status?: number;
  readonly cause?: unknown;
}

/** Statuses after which the same request can succeed later. */
const TEMPORARY: ReadonlySet<number> = new Set([408, 429]);

/** Whether the same request would be refused again. Claude Code repeats a 401 ten times unless a header forbids it. */
function isFinal(source: ErrorSource, status: number): boolean {
  return source === "client" && !TEMPORARY.has(status);
}

/** An error that the gateway sends in place of an upstream response. */
export class GatewayError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly type: string;
  readonly source: ErrorSource;
  readonly param: string | null;
  readonly headers: Readonly<Record<string, string>>;

  /** Creates an error with the default message of its code. */
  constructor(code: CodeWithMessage, details?: Details);
  /** @param message tells the client what is wrong and how to fix it; must contain no secret and no value from the body. */
  constructor(code: ErrorCode, message: string, details?: Details);
  constructor(code: ErrorCode, messageOrDetails: string | Details = {}, furtherDetails: Details = {}) {
    const kind: ErrorKind = TABLE[code];
    const hasMessage = typeof messageOrDetails === "string";
    const details = hasMessage ? furtherDetails : messageOrDetails;
    super(hasMessage ? messageOrDetails : kind.message, { cause: details.cause });
    this.code = code;
    this.status = details.status ?? kind.status;
    this.type = kind.type;
    this.source = kind.source;
    this.param = details.param ?? null;
    const retry = kind.retry ?? (isFinal(kind.source, this.status) ? false : undefined);
    this.headers = {
      ...(retry !== undefined && { "x-should-retry": String(retry) }),
      ...(kind.retryAfterS !== undefined && { "retry-after": String(kind.retryAfterS) }),
      ...kind.headers,
      ...details.headers,
    };
  }

  /** Returns a copy of this error for a request that may have been billed. The copy tells the SDKs not to retry. */
  withoutRetry(): GatewayError {
    const { code, message, param, status, headers, cause } = this;
    const details = { param: param ?? undefined, status, headers: { ...headers, ...NO_RETRY }, cause };
    return new GatewayError(code, message, details);
  }

  /**
   * Returns the body in the shape that OpenAI's SDKs parse. All four keys are always present.
   * @param code a code that the client knows better; default: the code of this error.
   */
  toJson(code: string = this.code): string {
    const { message, type, param } = this;
    return JSON.stringify({ error: { message, type, param, code } });
  }

  /**
   * Returns the data of the event that ends an aborted stream, in the shape of OpenRouter's mid-stream errors. The field
   * `code` is the status, because LiteLLM and pydantic-ai fail if `code` is not a number; `metadata.reason` is this error's
   * code.
   */
  toEventJson(): string {
    const { message, param, status, code } = this;
    const metadata = { reason: code };
    return JSON.stringify({ error: { message, type: upstream.type, param, code: status, metadata } });
  }
}
