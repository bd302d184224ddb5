/** Limits on draining a response. */
export interface DrainBounds {
  readonly ms: number;
  readonly bytes: number;
}

/** Enforces the limits on draining one response. */
export class DrainLimit {
  readonly #timer: NodeJS.Timeout;
  readonly #onExceeded: () => void;
  #bytesLeft: number;

  /** @param onExceeded called when the response exceeds a limit. */
  constructor({ ms, bytes }: DrainBounds, onExceeded: () => void) {
    this.#bytesLeft = bytes;
    this.#onExceeded = onExceeded;
    this.#timer = setTimeout(onExceeded, ms);
  }

  /** Raises the number of bytes that may still be read to `bytes`, if fewer are left. */
  allow(bytes: number): void {
    this.#bytesLeft = Math.max(this.#bytesLeft, bytes);
  }

  count(chunk: Buffer): void {
    this.#bytesLeft -= chunk.length;
    if (this.#bytesLeft < 0) this.#onExceeded();
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
