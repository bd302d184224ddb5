/** Measures the time that the gateway itself works on a request, for `Server-Timing`. Starts running when created. */
export class Stopwatch {
  #measuredMs = 0;
  #runningSince: number;
  #isRunning = true;
  #isStopped = false;

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
    if (this.#isRunning || this.#isStopped) return;
    this.#isRunning = true;
    this.#runningSince = performance.now();
  }

  /** Stops the clock for good, when the response begins: what follows depends on the client and on upstream. */
  stop(): void {
    this.pause();
    this.#isStopped = true;
  }

  /** The time measured so far. */
  get elapsedMs(): number {
    return this.#isRunning ? this.#measuredMs + performance.now() - this.#runningSince : this.#measuredMs;
  }
}
