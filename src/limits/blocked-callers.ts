import { LRUCache } from "lru-cache";

/** A caller is dropped only when this many others have exceeded the limit after it, which takes as many addresses. */
const CALLERS_MAX = 50_000;

/** The callers that have exceeded a limit, each until its window ends. Times are those of `performance.now()`. */
export class BlockedCallers {
  /** When each window ends. Read with `peek`, so that the caller that was added first is dropped first. */
  readonly #endsAt = new LRUCache<string, number>({ max: CALLERS_MAX });

  /** @param forMs how long the caller's window still lasts, in ms. */
  add(caller: string, forMs: number): void {
    this.#endsAt.set(caller, performance.now() + forMs);
  }

  /** @returns how long the caller's window still lasts, in ms; 0 if the caller has not exceeded the limit. */
  remainingMs(caller: string): number {
    const endsAt = this.#endsAt.peek(caller);
    if (endsAt === undefined) return 0;
    const remainingMs = endsAt - performance.now();
    if (remainingMs > 0) return remainingMs;
    this.#endsAt.delete(caller);
    return 0;
  }
}
