import { LRUCache } from "lru-cache";
import { boundCache } from "./cache-bound.ts";

/** Maximum number of callers that a process counts. A caller whose window is evicted starts a new one. */
const CALLERS_MAX = 50_000;

interface Window {
  count: number;
  /** From `performance.now()`: a change of the system clock must neither end a window early nor keep a caller blocked. */
  readonly endsAt: number;
}

/** The number of a caller's requests in its window, including the current request, and the window's remaining time in ms. */
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

  /** Counts one request in the current window of its caller, or in a new window if the caller has none. */
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
