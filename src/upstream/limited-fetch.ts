import { GatewayError } from "../errors.ts";
import { type BufferedRequest, type BufferedResponse, fetchBuffered } from "./fetch-buffered.ts";
import type { Upstream } from "./openrouter.ts";

/** Maximum number of concurrent fetches. Each can buffer as many bytes as its request allows. */
const TOTAL_MAX = 32;
/** Maximum number of concurrent fetches of one caller, so that one caller cannot use all of them. */
const PER_CALLER_MAX = 4;

/** A fetch that a client caused. */
export interface CallerRequest extends BufferedRequest {
  /** Identity of the caller, for the limit per caller. */
  readonly callerId: string;
}

/** Fetches documents that clients ask for, a limited number of them at once. */
export class LimitedFetch {
  readonly #upstream: Upstream;
  readonly #fetching = new Map<string, number>();
  #total = 0;

  constructor(upstream: Upstream) {
    this.#upstream = upstream;
  }

  /**
   * Fetches a document.
   * @throws GatewayError `overloaded` if too many fetches are in flight, and the errors of {@link fetchBuffered}.
   */
  async get({ callerId, ...request }: CallerRequest): Promise<BufferedResponse> {
    const own = this.#fetching.get(callerId) ?? 0;
    if (this.#total >= TOTAL_MAX || own >= PER_CALLER_MAX)
      throw new GatewayError(
        "overloaded",
        "Too many requests of this kind are waiting for OpenRouter; try again.",
      );
    this.#total++;
    this.#fetching.set(callerId, own + 1);
    try {
      return await fetchBuffered(this.#upstream, request);
    } finally {
      this.#total--;
      const left = (this.#fetching.get(callerId) ?? 1) - 1;
      if (left > 0) this.#fetching.set(callerId, left);
      else this.#fetching.delete(callerId);
    }
  }
}
