import { GatewayError, NO_RETRY } from "../errors.ts";
import type { UpstreamHead } from "../upstream/response-head.ts";
import { mayHaveBeenBilled } from "../response/possible-charge.ts";

/** Maximum number of header lines; OpenRouter sends some 25. */
const HEADER_LINES_MAX = 256;

/**
 * Checks whether an upstream response can be relayed. Most errors are relayed too, with their status and body. The gateway
 * replaces a response if no API client can read it, if it is a redirect, or if it rejects the operator's key.
 * @param usesOperatorKey whether OPENROUTER_API_KEY was sent.
 * @returns the error to send instead, or undefined to relay the response.
 */
export function checkResponseHead(head: UpstreamHead, usesOperatorKey: boolean): GatewayError | undefined {
  const { status, mediaType } = head;
  if (status === 401 && usesOperatorKey) {
    return new GatewayError("upstream_auth_failed");
  }
  if (status >= 300 && status < 400) {
    return new GatewayError(
      "upstream_bad_response",
      "OpenRouter responded with a redirect, which the gateway does not follow; the operator should check OPENROUTER_BASE_URL.",
    );
  }
  if (status > 599) {
    return new GatewayError(
      "upstream_bad_response",
      `OpenRouter responded with the invalid status ${status}.`,
    );
  }
  if (countHeaderLines(head) > HEADER_LINES_MAX) {
    return new GatewayError(
      "upstream_bad_response",
      `OpenRouter's response has more than ${HEADER_LINES_MAX} header lines; the request may have been billed.`,
    );
  }
  if (status >= 400) return mediaType === "text/html" ? createPageError(head) : undefined;
  return mediaType === "application/json" || mediaType === "text/event-stream"
    ? undefined
    : new GatewayError(
        "upstream_bad_response",
        "OpenRouter's response is neither JSON nor an event stream; the request may have been billed.",
      );
}

/**
 * Whether a relayed error needs `x-should-retry: false`, which keeps SDKs from retrying. It does if the request may have been
 * billed and the body does not come from OpenRouter itself, such as Cloudflare's `error code: 524`.
 */
export function forbidsRetry({ status, mediaType }: UpstreamHead): boolean {
  return status >= 400 && mayHaveBeenBilled(status) && mediaType !== "application/json";
}

function countHeaderLines({ headers }: UpstreamHead): number {
  let count = 0;
  // undici returns a repeated header as an array.
  for (const name in headers) count += Array.isArray(headers[name]) ? headers[name].length : 1;
  return count;
}

/** Returns the error that replaces an HTML page of OpenRouter's edge. The error has the status of the page. */
function createPageError({ status, headers }: UpstreamHead): GatewayError {
  const retryAfter = headers["retry-after"];
  const message = `OpenRouter's edge responded with status ${status} and a web page`;
  const isRetrySafe = !mayHaveBeenBilled(status);
  return new GatewayError(
    "upstream_error",
    isRetrySafe ? `${message}.` : `${message}; the request may have been billed.`,
    {
      status,
      headers: {
        ...(retryAfter !== undefined && { "retry-after": retryAfter }),
        ...(!isRetrySafe && NO_RETRY),
      },
    },
  );
}
