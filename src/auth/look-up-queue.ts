import { GatewayError } from "../errors.ts";

/** How many keys are looked up at once: most connections of the database's pool stay free for readiness and the ledger. */
const CONCURRENT_MAX = 4;
/** How many requests wait for that. Those of an address that exceeds its limit leave the queue without a look-up. */
const WAITING_MAX = 4_000;

/** Lets requests look up keys that are not in memory, a few at once and the others in their order. */
export class LookUpQueue {
  /** Each starts one of those that wait; the one that came first comes first. */
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /**
   * Runs a look-up when it is its turn.
   * @throws what `lookUp` throws; GatewayError 503 when too many wait already.
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

  /** Passes the place on, so that no newcomer takes it from the one who waited. */
  #release(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#running--;
  }
}
