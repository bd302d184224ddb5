import { GatewayError } from "../errors.ts";
import type { CallerHoldings, RequestContext } from "../http/request-context.ts";
import type { UploadLimit } from "../http/read-body.ts";

const NONE = -1;

/** The part of the places that is reserved for callers with few requests in flight. */
const RESERVED_PART = 1 / 4;
/** Requests whose bodies are arriving may hold this part of all places, and this part of the places of one caller. */
const UPLOADS_PART = 1 / 4;

/**
 * Limits the number of chat completions in flight, because neither Node nor undici does. Each request takes one of `max`
 * places before its body is read, and gives it back when the connection has released the response.
 *
 * One caller may take any number of places until only the last quarter is free; from then on, a caller that holds
 * `maxPerCaller` places gets no more. The same rule, with a quarter of both limits, applies to requests whose bodies are
 * still arriving.
 */
export class InFlight implements UploadLimit {
  readonly #max: number;
  readonly #maxPerCaller: number;
  readonly #maxUploads: number;
  readonly #maxUploadsPerCaller: number;
  #uploads = 0;
  /**
   * An array in which each request knows its index. A Set is slower here: it replaces its internal table after many
   * additions and deletions, each old table refers to the next one, and once an old table is in the old generation, the
   * garbage collector copies every request.
   */
  readonly #places: RequestContext[] = [];
  /** Totals by caller id, updated with each request. To iterate over thousands of places takes longer than a response. */
  readonly #holdings = new Map<string, CallerHoldings>();
  #whenEmpty: (() => void) | undefined = undefined;

  /**
   * @param max number of places.
   * @param maxPerCaller number of places that one caller may hold when few are free.
   */
  constructor(max: number, maxPerCaller = max) {
    this.#max = max;
    this.#maxPerCaller = maxPerCaller;
    this.#maxUploads = Math.ceil(max * UPLOADS_PART);
    this.#maxUploadsPerCaller = Math.ceil(maxPerCaller * UPLOADS_PART);
  }

  /** Number of places. */
  get max(): number {
    return this.#max;
  }

  /** Number of places taken. */
  get count(): number {
    return this.#places.length;
  }

  /** Number of places taken by requests whose bodies are still arriving. */
  get uploads(): number {
    return this.#uploads;
  }

  /**
   * Takes a place. A request that has ended during authentication takes none, because the place would never be released.
   * @throws GatewayError 503 if every place is taken, 429 if few are free and the caller holds its share.
   */
  enter(context: RequestContext): void {
    if (context.hasEnded) throw new GatewayError("bad_request", "The client has disconnected.");
    const free = this.#max - this.#places.length;
    if (free <= 0) {
      throw new GatewayError(
        "overloaded",
        "The gateway has reached its limit of requests in flight; try again shortly.",
      );
    }
    const holdings = this.#holdings.get(context.callerId) ?? { requests: 0, uploads: 0, bodyBytes: 0 };
    if (isReserved(free, this.#max) && holdings.requests >= this.#maxPerCaller) {
      throw new GatewayError(
        "concurrency_limit_exceeded",
        "Too many of your requests are in flight; wait for one to end.",
      );
    }
    if (holdings.requests++ === 0) this.#holdings.set(context.callerId, holdings);
    context.holdings = holdings;
    context.inFlightIndex = this.#places.push(context) - 1;
  }

  beginUpload(context: RequestContext): GatewayError | undefined {
    const free = this.#maxUploads - this.#uploads;
    if (free <= 0) {
      return new GatewayError(
        "overloaded",
        "The gateway has reached its limit of request bodies that arrive at once; try again shortly.",
      );
    }
    const { holdings } = context;
    if (isReserved(free, this.#maxUploads) && (holdings?.uploads ?? 0) >= this.#maxUploadsPerCaller) {
      return new GatewayError(
        "concurrency_limit_exceeded",
        "Too many of your request bodies are still arriving; wait for one to end.",
      );
    }
    context.isUploading = true;
    this.#uploads++;
    if (holdings) holdings.uploads++;
    return undefined;
  }

  endUpload(context: RequestContext): void {
    if (!context.isUploading) return;
    context.isUploading = false;
    this.#uploads--;
    if (context.holdings) context.holdings.uploads--;
  }

  /** Releases the place of a request, if it has one. */
  leave(context: RequestContext): void {
    if (context.inFlightIndex === NONE) return;
    this.endUpload(context);
    const last = this.#places.pop();
    if (last && last !== context) {
      this.#places[context.inFlightIndex] = last;
      last.inFlightIndex = context.inFlightIndex;
    }
    context.inFlightIndex = NONE;
    if (context.holdings && --context.holdings.requests === 0) this.#holdings.delete(context.callerId);
    if (this.#places.length === 0) this.#whenEmpty?.();
  }

  /** Waits until no place is taken. A drained response holds its place long after its client has disconnected. */
  async waitUntilEmpty(): Promise<void> {
    if (this.#places.length === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#whenEmpty = resolve;
    await promise;
  }

  /** Aborts all requests in flight, because the process exits. */
  abortAll(): void {
    // Iterates over a copy, because an aborted request may release its place at once.
    for (const context of this.#places.slice()) {
      context.abort(
        context.activeResponse
          ? new GatewayError("shutting_down")
          : new GatewayError("overloaded", "The gateway is shutting down; try again."),
      );
    }
  }
}

/** Whether the free places are reserved for callers that hold few. With fewer than four places, none is reserved. */
function isReserved(free: number, max: number): boolean {
  return free <= Math.floor(max * RESERVED_PART);
}
