/** Measures the time that the gateway itself works on a request, for `Server-Timing`. Starts running when created. */
export class Stopwatch {
  #measuredMs = 0;
  #runningSince: number;
  #isRunning = true;

  /** @param startedAt start time, from `performance.now()`. */
  constructor(startedAt: number) {
    this.#runningSince = startedAt;
  }

  /** Stops the clock, while the gateway waits for the client or for upstream. */
  pause(): void {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    this.#measuredMs += performance.now() - this.#runningSince;
  }

  /** Restarts the clock, when the gateway continues its work. */
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
