/** Who is at fault: decides the level of the log line. */
export type ErrorSource = "client" | "gateway" | "upstream";

interface ErrorKind {
  readonly status: number;
  readonly type: string;
  readonly source: ErrorSource;
  /** Sent as `x-should-retry`, which the OpenAI SDKs obey. Absent: they decide by status. */
  readonly retry?: boolean;
}

const invalid = { type: "invalid_request_error", source: "client" } as const;
const upstream = { type: "upstream_error", source: "upstream" } as const;
/** The request had left for upstream: it may have been billed, so a second try could be billed twice. */
const maybeBilled = { ...upstream, retry: false } as const;

/** Every error the gateway can answer of its own. The codes are those that OpenAI's SDKs and their users know. */
const TABLE = {
  invalid_api_key: { status: 401, type: "authentication_error", source: "client" },
  /** A valid key that may not do this: an admin key asking a model, a caller's key asking the admin API. */
  key_role_not_allowed: { status: 403, type: "permission_error", source: "client" },
  model_not_allowed: { status: 403, type: "permission_error", source: "client" },
  /** A page that CORS_ORIGINS does not name asks whether it may call. */
  origin_not_allowed: { status: 403, type: "permission_error", source: "client" },
  key_not_found: { status: 404, ...invalid },
  key_name_taken: { status: 409, ...invalid },
  invalid_json: { status: 400, ...invalid },
  invalid_utf8: { status: 400, ...invalid },
  duplicate_field: { status: 400, ...invalid },
  json_too_deep: { status: 400, ...invalid },
  json_too_complex: { status: 400, ...invalid },
  invalid_type: { status: 400, ...invalid },
  invalid_value: { status: 400, ...invalid },
  missing_required_parameter: { status: 400, ...invalid },
  bad_request: { status: 400, ...invalid },
  /** A known endpoint of other gateways: clients show the text of a 400, and not that of a 404. */
  unsupported_endpoint: { status: 400, ...invalid },
  unknown_url: { status: 404, ...invalid },
  model_not_found: { status: 404, ...invalid },
  method_not_allowed: { status: 405, ...invalid },
  request_timeout: { status: 408, ...invalid },
  request_too_large: { status: 413, ...invalid },
  unsupported_media_type: { status: 415, ...invalid },
  unsupported_content_encoding: { status: 415, ...invalid },
  headers_too_large: { status: 431, ...invalid },
  rate_limit_exceeded: { status: 429, type: "rate_limit_error", source: "client" },
  /** The caller holds its share of the places for requests, and few are left. */
  concurrency_limit_exceeded: { status: 429, type: "rate_limit_error", source: "client" },
  internal_error: { status: 500, type: "server_error", source: "gateway" },
  /** Keys or ledger cannot be reached: nothing was sent upstream, and trying again is safe. */
  store_unavailable: { status: 503, type: "server_error", source: "gateway" },
  overloaded: { status: 503, type: "server_error", source: "gateway" },
  /** Of a request that upstream has: one that it has not is `overloaded`. */
  shutting_down: { status: 503, type: "server_error", source: "gateway", retry: false },
  upstream_unreachable: { status: 502, ...upstream },
  upstream_disconnected: { status: 502, ...maybeBilled },
  upstream_bad_response: { status: 502, ...maybeBilled },
  upstream_auth_failed: { status: 502, ...maybeBilled },
  upstream_timeout: { status: 504, ...maybeBilled },
  /** A response takes longer than UPSTREAM_TOTAL_TIMEOUT_MS, or is longer than RESPONSE_LIMIT_BYTES. */
  deadline_exceeded: { status: 504, ...maybeBilled },
  response_too_large: { status: 502, ...maybeBilled },
  /** An answer of upstream's own whose body was not fit for an API client; keeps upstream's status. */
  upstream_error: { status: 502, ...upstream },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof TABLE;

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

/** An answer the gateway gives of its own instead of upstream's. */
export class GatewayError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly type: string;
  readonly source: ErrorSource;
  readonly param: string | null;
  readonly headers: Readonly<Record<string, string>>;

  /** @param message for the caller: what is wrong and how to mend it; never a secret or a value of the body. */
  constructor(code: ErrorCode, message: string, details: Details = {}) {
    super(message, { cause: details.cause });
    const kind: ErrorKind = TABLE[code];
    this.code = code;
    this.status = details.status ?? kind.status;
    this.type = kind.type;
    this.source = kind.source;
    this.param = details.param ?? null;
    this.headers =
      kind.retry === undefined
        ? { ...details.headers }
        : { "x-should-retry": String(kind.retry), ...details.headers };
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
