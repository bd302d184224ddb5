import type { FailureLine } from "../api/types.ts";

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
const ERROR_STATUS_MIN = 400;

/**
 * Describes why requests failed, without their number and model, such as `502 from Anthropic` or
 * `refused: budget used up`.
 */
export function describeFailure({ outcome, status, provider }: FailureLine): string {
  const upstream = provider ?? "OpenRouter";
  if (outcome === "interrupted") return "gateway process ended";
  if (outcome === "rejected") {
    const reason = REFUSALS[status];
    return reason === undefined ? "refused by the gateway" : `refused: ${reason}`;
  }
  return status < ERROR_STATUS_MIN ? `incomplete response from ${upstream}` : `error from ${upstream}`;
}
