import type { RequestContext } from "../http/request-context.ts";

/** Causes by the code of the gateway's error. */
const CAUSES: Readonly<Record<string, string>> = {
  upstream_unreachable: "unreachable",
  upstream_disconnected: "disconnected",
  upstream_bad_response: "bad_response",
  upstream_auth_failed: "auth_failed",
  upstream_timeout: "timeout",
  deadline_exceeded: "deadline_exceeded",
  response_too_large: "response_too_large",
};

/** Statuses of upstream that have a cause of their own, because each needs another action of the operator. */
const OWN_STATUSES: ReadonlySet<number> = new Set([401, 402, 403, 404, 408, 429]);

/**
 * Returns why upstream failed a request, as a value of a bounded set; undefined if it did not. A status or an error counts
 * even if the client has disconnected since.
 */
export function findUpstreamCause(context: RequestContext): string | undefined {
  const { errorSource, errorCode = "", upstreamStatus, outcome, isIncomplete } = context;
  if (outcome === "complete" && !isIncomplete) return undefined;
  const cause = errorSource === "upstream" ? CAUSES[errorCode] : undefined;
  if (cause !== undefined) return cause;
  if (upstreamStatus >= 500) return "status_5xx";
  if (upstreamStatus >= 400)
    return OWN_STATUSES.has(upstreamStatus) ? `status_${upstreamStatus}` : "status_4xx";
  // The status was 200, and the body or an event of the stream states the error.
  if (outcome === "upstream_error") return "error_in_body";
  return isIncomplete ? "incomplete" : undefined;
}
