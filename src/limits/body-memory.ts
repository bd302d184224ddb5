import { GatewayError } from "../errors.ts";
import type { RequestContext } from "../http/request-context.ts";
import type { BodyBudget } from "../http/read-body.ts";

/** While less than this part of the budget is free, a caller may hold no more than {@link CALLER_PART}. */
const RESERVED_PART = 1 / 4;
/** The part of the budget that one caller may hold while less than {@link RESERVED_PART} is free. */
const CALLER_PART = 1 / 16;

/**
 * Limits the total size of request bodies in memory. Bytes count from their arrival until their body is released. A large
 * body is released when it has been written to upstream, and a small one when its request has ended.
 */
export class BodyMemory implements BodyBudget {
  readonly #maxBytes: number;
  #heldBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Maximum total size of the bodies. */
  get maxBytes(): number {
    return this.#maxBytes;
  }

  /** Total size of the bodies held now. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  check(context: RequestContext, bytes: number): GatewayError | undefined {
    const left = this.#maxBytes - this.#heldBytes - bytes;
    const isShort = left < 0 || (left < this.#maxBytes * RESERVED_PART && this.#exceedsShare(context, bytes));
    if (!isShort) return undefined;
    return new GatewayError(
      "overloaded",
      "The gateway has reached its memory limit for request bodies; try again shortly.",
    );
  }

  hold(context: RequestContext, bytes: number): GatewayError | undefined {
    const refusal = this.check(context, bytes);
    if (refusal) return refusal;
    this.#heldBytes += bytes;
    context.bodyBytesHeld += bytes;
    if (context.holdings) context.holdings.bodyBytes += bytes;
    return undefined;
  }

  release(context: RequestContext): void {
    this.#heldBytes -= context.bodyBytesHeld;
    if (context.holdings) context.holdings.bodyBytes -= context.bodyBytesHeld;
    context.bodyBytesHeld = 0;
  }

  /** Whether the caller would exceed its share. The share keeps the last quarter of the budget available to other callers. */
  #exceedsShare({ holdings }: RequestContext, bytes: number): boolean {
    return (holdings?.bodyBytes ?? 0) + bytes > this.#maxBytes * CALLER_PART;
  }
}
