import type { IncomingHttpHeaders } from "node:http";

/** A header that asks for more is a mistake, or too long to leave bills unasked for. */
export const RETRY_AFTER_MAX_MS = 900_000;
const SECONDS = /^\d+(?:\.\d+)?$/;
/** RFC 9110, section 5.6.7; the weekday is there in all three formats. */
const HTTP_DATE = /^[a-z]{3,9},? /i;

/**
 * Reads `Retry-After`, in seconds or as an HTTP date. A date is compared with the `Date` of the same answer, so that the
 * gateway's own clock does not matter.
 * @returns ms, at most 15 minutes; undefined when the header is absent or cannot be read.
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
