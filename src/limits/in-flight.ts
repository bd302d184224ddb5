import { GatewayError } from "../errors.ts";

/** Something under way that can be ended from our side. */
export interface Cuttable {
  cut(error: GatewayError): void;
}

/**
 * Bounds how many chat completions are under way at once, their bodies included, because neither Node nor undici does.
 * A place is taken before the body is read and given back when the connection has let go of the answer.
 */
export class InFlight {
  readonly #max: number;
  /** By whoever holds the place. */
  readonly #places = new Map<object, Cuttable | undefined>();

  constructor(max: number) {
    this.#max = max;
  }

  /** How many places are taken. */
  get count(): number {
    return this.#places.size;
  }

  /** Takes a place. @throws GatewayError 503 when every place is taken. */
  enter(holder: object): void {
    if (this.#places.size >= this.#max) {
      throw new GatewayError(
        "overloaded",
        "The gateway has as many requests under way as it may; try again shortly.",
        {
          headers: { "retry-after": "1" },
        },
      );
    }
    this.#places.set(holder, undefined);
  }

  /** Says what to cut when everything must end. Does nothing for a holder that has already left. */
  hold(holder: object, answer: Cuttable): void {
    if (this.#places.has(holder)) this.#places.set(holder, answer);
  }

  /** Gives the place back, if the holder has one. */
  leave(holder: object): void {
    this.#places.delete(holder);
  }

  /** Ends everything that is still under way. */
  cutAll(error: GatewayError): void {
    for (const answer of this.#places.values()) answer?.cut(error);
  }
}
