// The words for the results of requests, which are the same on all pages.
import type { LedgerRow } from "../api/types.ts";
import type { Tone } from "./tones.ts";

type Outcome = NonNullable<LedgerRow["outcome"]>;

/** Statuses from this one on are errors. */
export const ERROR_STATUS_MIN = 400;

/** Outcomes in a word or two, for badges and choices, with their tone. */
export const OUTCOME_WORDS: Readonly<Record<Outcome, readonly [word: string, tone: Tone]>> = {
  complete: ["Complete", "good"],
  upstream_error: ["Upstream error", "bad"],
  client_gone: ["Cancelled", "neutral"],
  rejected: ["Refused", "warning"],
  interrupted: ["Interrupted", "bad"],
};

/** Reasons of errors that the gateway itself sends, by status. */
const REFUSALS: Readonly<Record<number, string>> = {
  400: "invalid request",
  401: "invalid key",
  402: "budget used up",
  403: "model or endpoint not allowed",
  404: "unknown model or address",
  408: "request arrived too slowly",
  413: "body too large",
  429: "limit of the key or group reached",
  503: "too many requests in flight, or shutdown",
};

/** Errors of OpenRouter whose status has a meaning of its own. */
const UPSTREAM_ERRORS: Readonly<Record<number, string>> = {
  400: "refused as invalid by OpenRouter",
  402: "OpenRouter credits used up",
  408: "timed out at OpenRouter",
  429: "rate limited by OpenRouter",
  503: "no provider available at OpenRouter",
  504: "timed out at OpenRouter",
  529: "provider overloaded",
};

interface Result {
  /** Null: the request is in flight. */
  readonly outcome: string | null;
  readonly status: number;
  readonly provider: string | null;
}

/** Describes how a request ended, such as `rate limited by OpenRouter` or `refused: budget used up`. */
export function describeResult({ outcome, status, provider }: Result): string {
  if (outcome === null) return "in flight";
  if (outcome === "client_gone") return "cancelled by the client";
  if (outcome === "interrupted") return "interrupted: the gateway process ended";
  if (outcome === "rejected") {
    const reason = REFUSALS[status];
    return reason === undefined ? "refused by the gateway" : `refused: ${reason}`;
  }
  if (status >= ERROR_STATUS_MIN) return UPSTREAM_ERRORS[status] ?? `error from ${provider ?? "OpenRouter"}`;
  // The upstream connection ended early, or the body contains an error.
  return outcome === "complete" ? "complete" : `response from ${provider ?? "OpenRouter"} broke off`;
}
