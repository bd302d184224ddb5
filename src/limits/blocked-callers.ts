import { LRUCache } from "lru-cache";
import { boundCache } from "./cache-bound.ts";

/** Maximum number of blocked callers. To evict one, this many other callers must exceed the limit, from as many addresses. */
const CALLERS_MAX = 50_000;

/** Callers that have exceeded a limit, each until its window ends. Times are from `performance.now()`. */
export class BlockedCallers {
  /** End of each caller's window. Read with `peek`, which does not refresh an entry, so that the oldest is evicted first. */
  readonly #endsAt = new LRUCache<string, number>(boundCache(CALLERS_MAX));

  /** @param forMs remaining time of the caller's window, in ms. */
  add(caller: string, forMs: number): void {
    this.#endsAt.set(caller, performance.now() + forMs);
  }

  /** @returns the remaining time of the caller's window in ms; 0 if the caller has not exceeded the limit. */
  remainingMs(caller: string): number {
    const endsAt = this.#endsAt.peek(caller);
    if (endsAt === undefined) return 0;
    const remainingMs = endsAt - performance.now();
    if (remainingMs > 0) return remainingMs;
    this.#endsAt.delete(caller);
    return 0;
  }
}
