import { GatewayError } from "../errors.ts";
import type { Exchange } from "../http/exchange.ts";

/**
 * Bounds how many chat completions are under way at once, their bodies included, because neither Node nor undici does.
 * A place is taken before the body is read and given back when the connection has let go of the answer.
 */
export class InFlight {
  readonly #max: number;
  readonly #places = new Set<Exchange>();
  #whenEmpty: (() => void) | undefined = undefined;

  constructor(max: number) {
    this.#max = max;
  }

  /** How many places are taken. */
  get count(): number {
    return this.#places.size;
  }

  /**
   * Takes a place, unless the caller has left while it was being let in: nobody would give that place back.
   * @throws GatewayError 503 when every place is taken.
   */
  enter(exchange: Exchange): void {
    if (exchange.ended) throw new GatewayError("bad_request", "The caller has left.");
    if (this.#places.size >= this.#max) {
      throw new GatewayError(
        "overloaded",
        "The gateway has as many requests under way as it may; try again shortly.",
        {
          headers: { "retry-after": "1" },
        },
      );
    }
    this.#places.add(exchange);
  }

  /** Gives the place back, if there is one. */
  leave(exchange: Exchange): void {
    this.#places.delete(exchange);
    if (this.#places.size === 0) this.#whenEmpty?.();
  }

  /** Waits until no place is taken: an answer can be read on, for its bill, when its connection is long gone. */
  async empty(): Promise<void> {
    if (this.#places.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#whenEmpty = resolve;
    await promise;
  }

  /** Ends everything that is still under way, because the process ends. */
  cutAll(): void {
    for (const exchange of this.#places) {
      exchange.cut(
        exchange.answer
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
