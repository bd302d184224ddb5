import type { DrainBounds } from "./drain-limit.ts";

/**
 * How much of an answer without an `X-Generation-Id` header is read when nobody receives it: its id comes first in its body,
 * and an error that proves that nothing was charged is shorter.
 */
export const PROOF_WITHIN_BYTES = 65_536;
/** From here on a status says that no generation was made. */
export const NO_GENERATION_FROM = 300;

/** What a relay needs to know of its request, and the bounds on its response. */
export interface RelayOptions {
  /** The gateway's own key was sent: its 401 is the operator's fault, not the caller's. */
  readonly usesOperatorKey: boolean;
  /** How long upstream may take, once the client has left, to say which generation it bills; 0 aborts at once. */
  readonly headWaitMs: number;
  /** Bounds on draining the answer after the client has left; undefined aborts it as soon as its generation id is known. */
  readonly drainBounds: DrainBounds | undefined;
  /** How long a response may take, from the sending of its request to its end. */
  readonly totalTimeoutMs: number;
  /** How long the body of a response may be. */
  readonly responseLimitBytes: number;
}
