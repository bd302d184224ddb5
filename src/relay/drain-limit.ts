/** Bounds on reading an answer that nobody waits for. */
export interface DrainBounds {
  readonly ms: number;
  readonly bytes: number;
}

/** Keeps the reading of an answer whose caller has left within its bounds. */
export class DrainLimit {
  readonly #timer: NodeJS.Timeout;
  readonly #exceeded: () => void;
  #bytesLeft: number;

  /** @param exceeded called when a bound is reached. */
  constructor({ ms, bytes }: DrainBounds, exceeded: () => void) {
    this.#bytesLeft = bytes;
    this.#exceeded = exceeded;
    this.#timer = setTimeout(exceeded, ms);
  }

  count(chunk: Buffer): void {
    this.#bytesLeft -= chunk.length;
    if (this.#bytesLeft < 0) this.#exceeded();
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
