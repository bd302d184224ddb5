import { LRUCache } from "lru-cache";
import { boundCache } from "./cache-bound.ts";

/** Maximum number of callers that a process counts. A caller whose window is evicted starts a new one. */
const CALLERS_MAX = 50_000;

interface Window {
  count: number;
  /** Time from `performance.now()`: setting the system clock would end a window early or keep a caller blocked. */
  readonly endsAt: number;
}

/** Number of a caller's requests in its window, including the current one, and the remaining time of the window in ms. */
export interface WindowCount {
  readonly count: number;
  readonly resetMs: number;
}

/** Counts requests per caller in fixed windows, in the memory of this process. */
export class LocalCounter {
  readonly #windowMs: number;
  /** Windows by caller. Read with `peek`, which does not refresh an entry, so that the oldest window is evicted first. */
  readonly #windows = new LRUCache<string, Window>(boundCache(CALLERS_MAX));

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** Counts one request of a caller. It begins a new window unless the caller has one that has not ended. */
  count(caller: string): WindowCount {
    const now = performance.now();
    let window = this.#windows.peek(caller);
    if (window === undefined || window.endsAt <= now) {
      window = { count: 0, endsAt: now + this.#windowMs };
      this.#windows.set(caller, window);
    }
    window.count++;
    return { count: window.count, resetMs: window.endsAt - now };
  }
}
