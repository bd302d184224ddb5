import { LRUCache } from "lru-cache";

/** Results that are kept. Each may have thousands of numbers. */
const RESULTS_MAX = 32;

/** Shares the results of equal queries, so that many readers of the same report cost as much as one. */
export class SharedResults<Query, Result> {
  readonly #run: (query: Query) => Promise<Result>;
  readonly #fresh: LRUCache<string, { readonly result: Result }>;
  readonly #running = new Map<string, Promise<Result>>();

  /** @param run runs a query. @param freshMs for how long a result is shared. */
  constructor(run: (query: Query) => Promise<Result>, freshMs: number) {
    this.#run = run;
    this.#fresh = new LRUCache({ max: RESULTS_MAX, ttl: freshMs, ttlAutopurge: true });
  }

  /**
   * Returns a recent result of the query, joins a run in progress, or starts a run.
   * @param query an object of which JSON has all members. @throws the error of the run, which is not kept.
   */
  async get(query: Query): Promise<Result> {
    const key = JSON.stringify(query);
    const known = this.#fresh.get(key);
    if (known) return known.result;
    const running = this.#running.get(key);
    if (running) return running;
    const run = Promise.try(this.#run, query).finally(() => this.#running.delete(key));
    this.#running.set(key, run);
    const result = await run;
    this.#fresh.set(key, { result });
    return result;
  }
}
