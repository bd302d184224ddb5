/** The party at fault. It decides the level of the log line. */
export type ErrorSource = "client" | "gateway" | "upstream";

interface ErrorKind {
  readonly status: number;
  readonly type: string;
  readonly source: ErrorSource;
  /** For errors that need no words of their own. */
  readonly message?: string;
  /** Sent as `retry-after`, in seconds. */
  readonly retryAfterS?: number;
  /** Sent as `x-should-retry`, which the OpenAI SDKs obey. Absent: they decide by status. */
  readonly retry?: boolean;
}

const BILLED = "the request may have been billed";

const invalid = { type: "invalid_request_error", source: "client" } as const;
const upstream = { type: "upstream_error", source: "upstream" } as const;
/** The request had left for upstream: it may have been billed, so a second try could be billed twice. */
const maybeBilled = { ...upstream, retry: false } as const;

/** Every error the gateway can send of its own. The codes are those that OpenAI's SDKs and their users know. */
const TABLE = {
  invalid_api_key: { status: 401, type: "authentication_error", source: "client" },
  /** A valid key that may not do this: an admin key asking a model, a caller's key asking the admin API. */
  key_role_not_allowed: { status: 403, type: "permission_error", source: "client" },
  model_not_allowed: { status: 403, type: "permission_error", source: "client" },
  /** A page that CORS_ORIGINS does not name asks whether it may call. */
  origin_not_allowed: {
    status: 403,
    type: "permission_error",
    source: "client",
    message: "Pages of this origin may not call this gateway; have the origin added to its CORS_ORIGINS.",
  },
  key_not_found: { status: 404, ...invalid, message: "There is no key of this id or name." },
  key_name_taken: {
    status: 409,
    ...invalid,
    message: "There is a key of this name; choose another, or revoke that one.",
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
  bad_request: { status: 400, ...invalid, message: "The request could not be read." },
  /** A known endpoint of other gateways: clients show the text of a 400, and not that of a 404. */
  unsupported_endpoint: { status: 400, ...invalid },
  unknown_url: { status: 404, ...invalid },
  model_not_found: { status: 404, ...invalid },
  method_not_allowed: { status: 405, ...invalid },
  request_timeout: { status: 408, ...invalid },
  request_too_large: {
    status: 413,
    ...invalid,
    message:
      "The request body is larger than this gateway takes; send less, or have BODY_LIMIT_BYTES raised.",
  },
  unsupported_media_type: { status: 415, ...invalid },
  unsupported_content_encoding: { status: 415, ...invalid },
  headers_too_large: { status: 431, ...invalid },
  rate_limit_exceeded: { status: 429, type: "rate_limit_error", source: "client" },
  /** The caller holds its share of the places for requests, and few are left. */
  concurrency_limit_exceeded: { status: 429, type: "rate_limit_error", source: "client", retryAfterS: 1 },
  internal_error: {
    status: 500,
    type: "server_error",
    source: "gateway",
    message: "The gateway failed; the failure has been logged.",
  },
  /** Keys or ledger cannot be reached: nothing was sent upstream, and trying again is safe. */
  store_unavailable: { status: 503, type: "server_error", source: "gateway", retryAfterS: 2 },
  overloaded: { status: 503, type: "server_error", source: "gateway", retryAfterS: 1 },
  /** Of a request that upstream has: one that it has not is `overloaded`. */
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
    message: `OpenRouter closed the connection before its answer was complete; ${BILLED}.`,
  },
  upstream_bad_response: {
    status: 502,
    ...maybeBilled,
    message: `OpenRouter's answer could not be understood; ${BILLED}.`,
  },
  upstream_auth_failed: {
    status: 502,
    ...maybeBilled,
    message: "OpenRouter refused the gateway's own key; the operator has to set a valid OPENROUTER_API_KEY.",
  },
  upstream_timeout: {
    status: 504,
    ...maybeBilled,
    message: `OpenRouter was silent for too long; ${BILLED}.`,
  },
  /** A response takes longer than UPSTREAM_TOTAL_TIMEOUT_MS, or is longer than RESPONSE_LIMIT_BYTES. */
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
  /** A response of upstream's own whose body was not fit for an API client; keeps upstream's status. */
  upstream_error: { status: 502, ...upstream },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof TABLE;

/** Codes whose errors need no words of their own. */
type CodeWithMessage = {
  [Code in ErrorCode]: (typeof TABLE)[Code] extends { message: string } ? Code : never;
}[ErrorCode];

/** Keeps the OpenAI SDKs, which repeat every 408, 409, 429 and 5xx by themselves, from sending a request again. */
export const NO_RETRY: Readonly<Record<string, string>> = { "x-should-retry": "false" };

interface Details {
  /** Path of the offending field, as `messages[0].role`. */
  readonly param?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** Instead of the table's status. */
  readonly status?: number;
  readonly cause?: unknown;
}

/** An error that the gateway sends of its own instead of upstream's response. */
export class GatewayError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly type: string;
  readonly source: ErrorSource;
  readonly param: string | null;
  readonly headers: Readonly<Record<string, string>>;

  /** With the table's message. */
  constructor(code: CodeWithMessage, details?: Details);
  /** @param message for the caller: what is wrong and how to mend it; never a secret or a value of the body. */
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
    this.headers = {
      ...(kind.retry !== undefined && { "x-should-retry": String(kind.retry) }),
      ...(kind.retryAfterS !== undefined && { "retry-after": String(kind.retryAfterS) }),
      ...details.headers,
    };
  }

  /** The same error for a request that may have been billed: it tells the SDKs not to send the request again. */
  withoutRetry(): GatewayError {
    const { code, message, param, status, headers, cause } = this;
    const details = { param: param ?? undefined, status, headers: { ...headers, ...NO_RETRY }, cause };
    return new GatewayError(code, message, details);
  }

  /** The body in the shape that OpenAI's SDKs parse, all four keys always there. */
  toJson(): string {
    const { message, type, param, code } = this;
    return JSON.stringify({ error: { message, type, param, code } });
  }

  /**
   * The data of an event that ends a broken stream, in the shape of OpenRouter's own errors there: clients that know it,
   * such as LiteLLM and pydantic-ai, take `code` for a status and fail on text. The code of this error is the reason.
   */
  toEventJson(): string {
    const { message, param, status, code } = this;
    const metadata = { reason: code };
    return JSON.stringify({ error: { message, type: upstream.type, param, code: status, metadata } });
  }
}
