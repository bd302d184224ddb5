import type { DrainBounds } from "./drain-limit.ts";

/** Settings of a relay, and limits on its response. */
export interface RelayOptions {
  /** Whether OPENROUTER_API_KEY was sent. If so, a 401 is the operator's fault, not the client's. */
  readonly usesOperatorKey: boolean;
  /** Time that upstream has to state the generation id after the client has disconnected; 0 aborts immediately. */
  readonly headWaitMs: number;
  /** Limits on draining after a disconnect; undefined aborts the request as soon as its generation id is known. */
  readonly drainBounds: DrainBounds | undefined;
  /** Maximum time from the sending of the request to the end of the response. */
  readonly totalTimeoutMs: number;
  /** Maximum length of the response body. */
  readonly responseLimitBytes: number;
}
