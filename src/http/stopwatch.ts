/** Measures the time in which the gateway itself works on a request, for `Server-Timing`. Runs from the beginning. */
export class Stopwatch {
  #measuredMs = 0;
  #runningSince: number;
  #isRunning = true;

  /** @param startedAt as of `performance.now()`. */
  constructor(startedAt: number) {
    this.#runningSince = startedAt;
  }

  /** Stops while the gateway waits for the client or for upstream. */
  pause(): void {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    this.#measuredMs += performance.now() - this.#runningSince;
  }

  /** Continues: the gateway works again. */
  resume(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#runningSince = performance.now();
  }

  /** The time measured so far. */
  get elapsedMs(): number {
    return this.#isRunning ? this.#measuredMs + performance.now() - this.#runningSince : this.#measuredMs;
  }
}
