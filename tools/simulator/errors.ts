// The error bodies of OpenRouter. Messages are those of its OpenAPI description, except for 412 and 504,
// which only its guides mention. The HTTP status equals `error.code` unless another status was already sent.

const MESSAGES: Readonly<Record<number, string>> = {
  400: "Invalid request parameters",
  401: "Missing Authentication header",
  402: "Insufficient credits. Add more using https://openrouter.ai/credits",
  403: "Request blocked: prompt injection patterns detected",
  404: "Resource not found",
  408: "Operation timed out. Please try again later.",
  412: "Precondition failed",
  413: "Request payload too large",
  422: "Invalid argument",
  429: "Rate limit exceeded",
  500: "Internal Server Error",
  502: "Provider returned error",
  503: "Service temporarily unavailable",
  504: "Provider timed out",
  524: "Request timed out. Please try again later.",
  529: "Provider returned error",
};

const METADATA: Readonly<Record<number, Record<string, unknown>>> = {
  403: { patterns: ["ignore all previous instructions"] },
  429: { headers: { "X-RateLimit-Limit": "20", "X-RateLimit-Remaining": "0" } },
  502: { provider_name: "Simulator", raw: '{"error":{"message":"upstream failed"}}' },
  529: { provider_name: "Simulator", raw: '{"error":{"message":"overloaded"}}' },
};

/** Changes to the default error body of a status. */
export interface ErrorDetails {
  readonly message?: string;
  /** adds `metadata.file_annotations` of this many bytes, which OpenRouter adds to errors that occur after it parsed a file */
  readonly metadataBytes?: number;
  /** adds `user_id`, as OpenRouter does if the request was authenticated */
  readonly userId?: string;
}

/** The account to which all simulated keys belong. */
export const USER_ID = "user_2sImUlAtOr0000000000000000";

/** The `error` object, which is also sent within a chunk of a stream and after keep-alive whitespace. */
export function buildError(status: number, details: ErrorDetails = {}): Record<string, unknown> {
  const padding = details.metadataBytes ?? 0;
  const metadata = {
    ...METADATA[status],
    ...(padding > 0 && { file_annotations: [{ type: "file", text: "x".repeat(padding) }] }),
  };
  return {
    message: details.message ?? MESSAGES[status] ?? "Provider returned error",
    code: status,
    ...(Object.keys(metadata).length > 0 && details.message === undefined && { metadata }),
  };
}

/** Formats the whole body of an error response. */
export type ErrorFormat = (status: number, details?: ErrorDetails) => string;

/** The whole body of an error response, except for /messages. */
export function formatError(status: number, details: ErrorDetails = {}): string {
  return JSON.stringify({
    error: buildError(status, details),
    ...(details.userId !== undefined && { user_id: details.userId }),
  });
}

const ANTHROPIC_TYPES: Readonly<Record<number, string>> = {
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  408: "timeout_error",
  413: "request_too_large",
  429: "rate_limit_error",
  503: "overloaded_error",
  504: "timeout_error",
  524: "timeout_error",
  529: "overloaded_error",
};

/** The `error` object of Anthropic's protocol. */
export function buildAnthropicError(status: number, details: ErrorDetails = {}): Record<string, unknown> {
  const { message } = buildError(status, details);
  const type = ANTHROPIC_TYPES[status] ?? (status < 500 ? "invalid_request_error" : "api_error");
  return { type, message };
}

/** The whole body of an error response of /messages. */
export function formatAnthropicError(status: number, details: ErrorDetails = {}): string {
  const { metadata } = buildError(status, details);
  return JSON.stringify({
    type: "error",
    error: buildAnthropicError(status, details),
    request_id: null,
    ...(metadata !== undefined && { metadata }),
  });
}

/** The additional headers of an error response. `retryAfter` is in seconds; a negative value omits the header. */
export function buildErrorHeaders(status: number, retryAfter: number): string[] {
  const headers = retryAfter < 0 ? [] : ["Retry-After", String(retryAfter)];
  if (status === 429) {
    const resetMs = Date.now() + Math.max(retryAfter, 1) * 1000;
    headers.push(
      "X-RateLimit-Limit",
      "20",
      "X-RateLimit-Remaining",
      "0",
      "X-RateLimit-Reset",
      String(resetMs),
    );
  }
  return headers;
}

/** An HTML error page like those that Cloudflare, in front of OpenRouter, sends instead of a JSON error. */
export function formatCloudflarePage(status: number): string {
  return `<!DOCTYPE html>
<html lang="en-US">
<head><title>openrouter.ai | ${status}: Bad gateway</title><meta charset="UTF-8" /></head>
<body>
<div id="cf-wrapper"><h1>Error ${status}</h1>
<p>The web server reported an error &mdash; please try again in a few minutes.</p>
<p>Cloudflare Ray ID: <strong>8f0000000000sim</strong></p></div>
</body>
</html>
`;
}
