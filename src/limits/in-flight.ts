import { GatewayError } from "../errors.ts";
import type { CallerHoldings, RequestContext } from "../http/request-context.ts";
import type { UploadLimit } from "../http/read-body.ts";

const NONE = -1;

/** This part of the places is kept for callers that hold few of them. */
const RESERVED_PART = 1 / 4;
/** Bodies that are still arriving may take this part of the places, and of what one caller may hold. */
const UPLOADS_PART = 1 / 4;

/**
 * Bounds how many chat completions are under way at once, their bodies included, because neither Node nor undici does.
 * A place is taken before the body is read and given back when the connection has let go of the answer.
 *
 * One caller may take what nobody else uses, but not the last quarter: there a caller that holds `maxPerCaller` places gets
 * no more. Requests whose bodies are still arriving are bounded by the same rule, at a quarter of the numbers.
 */
export class InFlight implements UploadLimit {
  readonly #max: number;
  readonly #maxPerCaller: number;
  readonly #maxUploads: number;
  readonly #maxUploadsPerCaller: number;
  #uploads = 0;
  /**
   * An array, of which each request knows its place. A Set leaves a table behind whenever so many have come and gone, and
   * each table points to the next: once one of them was old, the garbage collector copied every request around.
   */
  readonly #places: RequestContext[] = [];
  /** By caller id. Counted as requests come and go: to go through thousands of places takes longer than to answer a request. */
  readonly #holdings = new Map<string, CallerHoldings>();
  #whenEmpty: (() => void) | undefined = undefined;

  /**
   * @param max how many places there are.
   * @param maxPerCaller how many of them one caller may hold when few are left.
   */
  constructor(max: number, maxPerCaller = max) {
    this.#max = max;
    this.#maxPerCaller = maxPerCaller;
    this.#maxUploads = Math.ceil(max * UPLOADS_PART);
    this.#maxUploadsPerCaller = Math.ceil(maxPerCaller * UPLOADS_PART);
  }

  /** How many places are taken. */
  get count(): number {
    return this.#places.length;
  }

  /** How many of them wait for bodies that are still arriving. */
  get uploads(): number {
    return this.#uploads;
  }

  /**
   * Takes a place, unless the caller has left while it was being let in: nobody would give that place back.
   * @throws GatewayError 503 when every place is taken, 429 when the caller has its share of them and few are left.
   */
  enter(context: RequestContext): void {
    if (context.hasEnded) throw new GatewayError("bad_request", "The caller has left.");
    const free = this.#max - this.#places.length;
    if (free <= 0) {
      throw createOverloadError("The gateway has as many requests in flight as it may; try again shortly.");
    }
    const holdings = this.#holdings.get(context.callerId) ?? { requests: 0, uploads: 0, bodyBytes: 0 };
    if (isReserved(free, this.#max) && holdings.requests >= this.#maxPerCaller) {
      throw createCallerRefusal("Too many of your requests are in flight; wait for one to end.");
    }
    if (holdings.requests++ === 0) this.#holdings.set(context.callerId, holdings);
    context.holdings = holdings;
    context.inFlightIndex = this.#places.push(context) - 1;
  }

  beginUpload(context: RequestContext): GatewayError | undefined {
    const free = this.#maxUploads - this.#uploads;
    if (free <= 0) {
      return createOverloadError(
        "The gateway receives as many request bodies at once as it may; try again shortly.",
      );
    }
    const { holdings } = context;
    if (isReserved(free, this.#maxUploads) && (holdings?.uploads ?? 0) >= this.#maxUploadsPerCaller) {
      return createCallerRefusal("Too many of your request bodies are still arriving; wait for one to end.");
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

  /** Gives the place back, if there is one. */
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

  /** Waits until no place is taken: an answer can be read on, for its bill, when its connection is long gone. */
  async waitUntilEmpty(): Promise<void> {
    if (this.#places.length === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#whenEmpty = resolve;
    await promise;
  }

  /** Ends everything that is still under way, because the process ends. */
  abortAll(): void {
    // Of a copy: whoever is cut may leave at once.
    for (const context of this.#places.slice()) {
      context.abort(
        context.activeResponse
          ? new GatewayError(
              "shutting_down",
              "The gateway is shutting down; the request may have been billed.",
            )
          : new GatewayError("overloaded", "The gateway is shutting down; try again.", {
              headers: { "retry-after": "1" },
            }),
      );
    }
  }
}

/** Whether what is left is kept for callers that hold few. Of fewer than four places none is. */
function isReserved(free: number, max: number): boolean {
  return free <= Math.floor(max * RESERVED_PART);
}

function createOverloadError(message: string): GatewayError {
  return new GatewayError("overloaded", message, { headers: { "retry-after": "1" } });
}

function createCallerRefusal(message: string): GatewayError {
  return new GatewayError("concurrency_limit_exceeded", message, { headers: { "retry-after": "1" } });
}
