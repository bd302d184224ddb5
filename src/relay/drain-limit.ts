/** Limits on draining a response. */
export interface DrainBounds {
  readonly ms: number;
  readonly bytes: number;
}

/** Enforces the limits on draining one response. */
export class DrainLimit {
  readonly #timer: NodeJS.Timeout;
  readonly #exceeded: () => void;
  #bytesLeft: number;

  /** @param exceeded called when a limit is exceeded. */
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
