import type { FailureLine } from "../api/types.ts";

/** Reasons of errors that the gateway itself sends, by status. */
const REFUSALS: Readonly<Record<number, string>> = {
  400: "an invalid request",
  401: "an invalid key",
  402: "no money left in a budget",
  403: "a model or endpoint that the key may not use",
  404: "an unknown model or address",
  408: "a request that arrived too slowly",
  413: "a body that is too large",
  429: "a limit of the key or group",
  503: "too much load, or a gateway that shuts down",
};
const ERROR_STATUS_MIN = 400;

/**
 * Describes why requests failed, without their number and model, such as `502 from Anthropic` or
 * `refused by the gateway: no money left in a budget`.
 */
export function describeFailure({ outcome, status, provider }: FailureLine): string {
  const upstream = provider ?? "OpenRouter";
  if (outcome === "interrupted") return "interrupted, because the gateway process ended";
  if (outcome === "rejected") {
    const reason = REFUSALS[status];
    return `refused by the gateway${reason === undefined ? "" : `: ${reason}`}`;
  }
  return status < ERROR_STATUS_MIN ? `incomplete response from ${upstream}` : `error from ${upstream}`;
}
