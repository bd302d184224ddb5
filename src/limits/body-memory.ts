import { GatewayError } from "../errors.ts";
import type { RequestContext } from "../http/request-context.ts";
import type { BodyBudget } from "../http/read-body.ts";

/** While less than this part of the budget is left, {@link CALLER_PART} applies. */
const RESERVED_PART = 1 / 4;
/** No caller may hold more than this part of the budget while little is left. */
const CALLER_PART = 1 / 16;

/**
 * The memory that bodies of requests may take together. A body counts from the arrival of its bytes until nothing holds it:
 * a large one has been written to upstream, the request of a small one has ended.
 */
export class BodyMemory implements BodyBudget {
  readonly #maxBytes: number;
  #heldBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes that are counted now. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  check(context: RequestContext, bytes: number): GatewayError | undefined {
    const left = this.#maxBytes - this.#heldBytes - bytes;
    const isShort = left < 0 || (left < this.#maxBytes * RESERVED_PART && this.#exceedsShare(context, bytes));
    if (!isShort) return undefined;
    return new GatewayError(
      "overloaded",
      "The gateway holds as many bytes of request bodies as it may; try again shortly.",
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

  /** Whether the caller would hold more than its share, so that one caller cannot take what is left for the others. */
  #exceedsShare({ holdings }: RequestContext, bytes: number): boolean {
    return (holdings?.bodyBytes ?? 0) + bytes > this.#maxBytes * CALLER_PART;
  }
}
