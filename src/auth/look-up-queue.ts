import { GatewayError } from "../errors.ts";

/** Maximum number of concurrent look-ups. It leaves most connections of the database pool to readiness checks and the ledger. */
const CONCURRENT_MAX = 4;
/**
 * Maximum number of queued requests. If a client address exceeds its limit of failed logins, its queued requests are rejected
 * without a look-up.
 */
const WAITING_MAX = 4_000;

/** Queues look-ups of keys that are not in memory: a few run at once, and the others start in order of arrival. */
export class LookUpQueue {
  /** One callback for each queued look-up, which starts it; the oldest is first. */
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /**
   * Runs a look-up when its turn comes.
   * @throws any error of `lookUp`; GatewayError 503 if the queue is full.
   */
  async run<T>(lookUp: () => Promise<T>): Promise<T> {
    if (this.#running < CONCURRENT_MAX) this.#running++;
    else await this.#waitForTurn();
    try {
      return await lookUp();
    } finally {
      this.#release();
    }
  }

  async #waitForTurn(): Promise<void> {
    if (this.#waiting.length >= WAITING_MAX) {
      throw new GatewayError("store_unavailable", "Too many keys are being looked up; try again shortly.", {
        headers: { "retry-after": "1" },
      });
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    await promise;
  }

  /** Starts the oldest queued look-up in place of an ended one, so that no new look-up can overtake the queue. */
  #release(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#running--;
  }
}
