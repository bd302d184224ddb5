import { GatewayError } from "../errors.ts";
import type { Reading } from "../store/redis-limits.ts";
import type { ScopedLimit } from "./scoped-limits.ts";

/** SDKs ignore a `retry-after` above 60 s. */
const RETRY_AFTER_MAX_MS = 60_000;
const UNITS = [
  ["h", 3_600],
  ["m", 60],
  ["s", 1],
] as const;

/** Formats a time as OpenAI does: `1s`, `6m0s`, `23h59m59s`. Part of a second counts as a second. @param ms at least 0. */
export function formatReset(ms: number): string {
  let left = Math.ceil(ms / 1000);
  let text = "";
  for (const [unit, seconds] of UNITS) {
    const amount = Math.floor(left / seconds);
    left -= amount * seconds;
    if (text !== "" || amount > 0 || unit === "s") text += `${amount}${unit}`;
  }
  return text;
}

/** Creates the headers of a limit on requests, under the common names (seconds) and under the names that OpenAI uses. */
export function createRequestHeaders(
  max: number,
  remaining: number,
  resetMs: number,
): Record<string, string> {
  const [limit, left] = [String(max), String(remaining)];
  return {
    "x-ratelimit-limit": limit,
    "x-ratelimit-remaining": left,
    "x-ratelimit-reset": String(Math.ceil(resetMs / 1000)),
    "x-ratelimit-limit-requests": limit,
    "x-ratelimit-remaining-requests": left,
    "x-ratelimit-reset-requests": formatReset(resetMs),
  };
}

function createTokenHeaders(max: number, remaining: number, resetMs: number): Record<string, string> {
  return {
    "x-ratelimit-limit-tokens": String(max),
    "x-ratelimit-remaining-tokens": String(remaining),
    "x-ratelimit-reset-tokens": formatReset(resetMs),
  };
}

/**
 * Creates the headers of the tightest limit on requests and of the tightest limit on tokens: the one with the least left,
 * and of several the one whose window ends last.
 */
export function createLimitHeaders(
  limits: readonly ScopedLimit[],
  readings: readonly Reading[],
): Record<string, string> {
  const headers = {};
  for (const kind of ["requests", "tokens"] as const) {
    let tightest: { max: number; left: number; resetMs: number } | undefined;
    for (const [index, limit] of limits.entries()) {
      const reading = readings[index];
      if (limit.kind !== kind || reading === undefined) continue;
      const { resetMs } = reading;
      const left = Math.max(0, limit.max - reading.count);
      if (!tightest || left < tightest.left || (left === tightest.left && resetMs > tightest.resetMs))
        tightest = { max: limit.max, left, resetMs };
    }
    if (!tightest) continue;
    const create = kind === "requests" ? createRequestHeaders : createTokenHeaders;
    Object.assign(headers, create(tightest.max, tightest.left, tightest.resetMs));
  }
  return headers;
}

/** Creates the headers that state when to retry. @param resetMs remaining time of the window. */
export function createRetryHeaders(resetMs: number): Record<string, string> {
  const waitMs = Math.max(1, Math.min(Math.ceil(resetMs), RETRY_AFTER_MAX_MS));
  return { "retry-after": String(Math.ceil(waitMs / 1000)), "retry-after-ms": String(waitMs) };
}

/**
 * Creates the error for a request that a limit refuses.
 * @param reading of this limit, without the request. @param tokens that the request may take; 0 if its body is not known.
 */
export function createLimitError(limit: ScopedLimit, reading: Reading, tokens: number): GatewayError {
  const { kind, max, text } = limit;
  const { resetMs } = reading;
  if (kind === "places") {
    return new GatewayError(
      "concurrency_limit_exceeded",
      `The limit of ${text} is reached; wait for one to end.`,
      { headers: createRetryHeaders(1_000) },
    );
  }
  const left = Math.max(0, max - reading.count);
  const problem =
    kind === "tokens" && tokens > 0 && left > 0
      ? `The request may take ${tokens} tokens, and ${left} of the limit of ${text} are left`
      : `The limit of ${text} is reached`;
  const headers = createRetryHeaders(resetMs);
  // A retry within the window would be refused again. Without this header, SDKs would send it after a minute.
  if (resetMs > RETRY_AFTER_MAX_MS) headers["x-should-retry"] = "false";
  return new GatewayError("rate_limit_exceeded", `${problem}; try again in ${formatReset(resetMs)}.`, {
    headers,
  });
}

/** Creates the error for a request that may take more tokens than the whole limit. No retry can succeed. */
export function createTooLargeError({ text }: ScopedLimit, tokens: number): GatewayError {
  return new GatewayError(
    "rate_limit_exceeded",
    `The request may take ${tokens} tokens, which is more than the whole limit of ${text}; send a shorter prompt or a lower max_tokens.`,
    { headers: { "x-should-retry": "false" } },
  );
}
