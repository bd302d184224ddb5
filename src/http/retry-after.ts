import type { IncomingHttpHeaders } from "node:http";

/** Longest accepted wait. A longer wait is probably a mistake, and would delay cost lookups too much. */
export const RETRY_AFTER_MAX_MS = 900_000;
const SECONDS = /^\d+(?:\.\d+)?$/;
/** Start of an HTTP date: all three formats begin with the weekday (RFC 9110, section 5.6.7). */
const HTTP_DATE = /^[a-z]{3,9},? /i;

/**
 * Parses `Retry-After`, in seconds or as an HTTP date. A date is compared with the `Date` header of the same response, so
 * that a wrong clock of the gateway has no effect.
 * @returns ms, at most 15 minutes; undefined if the header is absent or invalid.
 */
export function parseRetryAfter(headers: IncomingHttpHeaders): number | undefined {
  const value = [headers["retry-after"]].flat()[0]?.trim();
  if (value === undefined) return undefined;
  const waitMs = SECONDS.test(value) ? Number(value) * 1_000 : parseDateWait(value, headers.date);
  return waitMs === undefined ? undefined : Math.min(Math.max(waitMs, 0), RETRY_AFTER_MAX_MS);
}

function parseDateWait(value: string, respondedAt: string | undefined): number | undefined {
  const at = HTTP_DATE.test(value) ? Date.parse(value) : NaN;
  if (Number.isNaN(at)) return undefined;
  const from = Date.parse(respondedAt ?? "");
  return at - (Number.isNaN(from) ? Date.now() : from);
}
