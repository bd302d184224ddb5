import { GatewayError } from "../errors.ts";
import type { Exchange } from "../http/exchange.ts";

const NONE = -1;

/**
 * Bounds how many chat completions are under way at once, their bodies included, because neither Node nor undici does.
 * A place is taken before the body is read and given back when the connection has let go of the answer.
 */
export class InFlight {
  readonly #max: number;
  /**
   * An array, of which each exchange knows its place. A Set leaves a table behind whenever so many have come and gone, and
   * each table points to the next: once one of them was old, the garbage collector copied every request around.
   */
  readonly #places: Exchange[] = [];
  #whenEmpty: (() => void) | undefined = undefined;

  constructor(max: number) {
    this.#max = max;
  }

  /** How many places are taken. */
  get count(): number {
    return this.#places.length;
  }

  /**
   * Takes a place, unless the caller has left while it was being let in: nobody would give that place back.
   * @throws GatewayError 503 when every place is taken.
   */
  enter(exchange: Exchange): void {
    if (exchange.ended) throw new GatewayError("bad_request", "The caller has left.");
    if (this.#places.length >= this.#max) {
      throw new GatewayError(
        "overloaded",
        "The gateway has as many requests under way as it may; try again shortly.",
        {
          headers: { "retry-after": "1" },
        },
      );
    }
    exchange.place = this.#places.push(exchange) - 1;
  }

  /** Gives the place back, if there is one. */
  leave(exchange: Exchange): void {
    if (exchange.place === NONE) return;
    const last = this.#places.pop();
    if (last && last !== exchange) {
      this.#places[exchange.place] = last;
      last.place = exchange.place;
    }
    exchange.place = NONE;
    if (this.#places.length === 0) this.#whenEmpty?.();
  }

  /** Waits until no place is taken: an answer can be read on, for its bill, when its connection is long gone. */
  async empty(): Promise<void> {
    if (this.#places.length === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#whenEmpty = resolve;
    await promise;
  }

  /** Ends everything that is still under way, because the process ends. */
  cutAll(): void {
    // Of a copy: whoever is cut may leave at once.
    for (const exchange of this.#places.slice()) {
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
