import type { DrainBounds } from "./drain-limit.ts";

/** What a relay needs to know of its request, and the bounds on its response. */
export interface RelayOptions {
  /** OPENROUTER_API_KEY was sent: its 401 is the operator's fault, not the client's. */
  readonly usesOperatorKey: boolean;
  /** How long upstream may take, once the client has left, to say which generation it bills; 0 aborts at once. */
  readonly headWaitMs: number;
  /** Bounds on draining the response after the client has left; undefined aborts it as soon as its generation id is known. */
  readonly drainBounds: DrainBounds | undefined;
  /** How long a response may take, from the sending of its request to its end. */
  readonly totalTimeoutMs: number;
  /** How long the body of a response may be. */
  readonly responseLimitBytes: number;
}
