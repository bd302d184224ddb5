import { GatewayError, NO_RETRY } from "../errors.ts";
import type { UpstreamHead } from "../upstream/response-head.ts";
import { mayHaveBeenBilled } from "../response/possible-charge.ts";

/** OpenRouter sends some 25 header lines. */
const HEADER_LINES_MAX = 256;

/**
 * Decides whether a response of upstream's is fit to be relayed. Statuses and bodies of errors are the caller's to see;
 * not fit is only what no API client could read, what would lead it elsewhere, and what is said about our own key.
 * @param usesOperatorKey the gateway's own key was sent. @returns the error to answer instead, or undefined to relay.
 */
export function checkResponseHead(head: UpstreamHead, usesOperatorKey: boolean): GatewayError | undefined {
  const { status, mediaType } = head;
  if (status === 401 && usesOperatorKey) {
    return new GatewayError("upstream_auth_failed");
  }
  if (status >= 300 && status < 400) {
    return new GatewayError(
      "upstream_bad_response",
      "OpenRouter answered with a redirect, which the gateway does not follow.",
    );
  }
  if (status > 599) {
    return new GatewayError("upstream_bad_response", "OpenRouter answered with a status that is not HTTP.");
  }
  if (countHeaderLines(head) > HEADER_LINES_MAX) {
    return new GatewayError(
      "upstream_bad_response",
      `OpenRouter answered with more than ${HEADER_LINES_MAX} header lines; the request may have been billed.`,
    );
  }
  if (status >= 400) return mediaType === "text/html" ? createPageError(head) : undefined;
  return mediaType === "application/json" || mediaType === "text/event-stream"
    ? undefined
    : new GatewayError(
        "upstream_bad_response",
        "OpenRouter answered with something that is neither JSON nor an event stream; the request may have been billed.",
      );
}

/**
 * Whether an error that is relayed must tell the SDKs not to send the request again: it may have been billed, and the body is
 * not OpenRouter's own, such as Cloudflare's `error code: 524`.
 */
export function forbidsRetry({ status, mediaType }: UpstreamHead): boolean {
  return status >= 400 && mayHaveBeenBilled(status) && mediaType !== "application/json";
}

function countHeaderLines({ headers }: UpstreamHead): number {
  let count = 0;
  // undici gives a header that comes more than once as an array.
  for (const name in headers) count += Array.isArray(headers[name]) ? headers[name].length : 1;
  return count;
}

/** The error in place of a page of the edge in front of OpenRouter: its status is kept, the HTML is not. */
function createPageError({ status, headers }: UpstreamHead): GatewayError {
  const retryAfter = headers["retry-after"];
  const message = `OpenRouter's edge answered with status ${status} and a web page`;
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
