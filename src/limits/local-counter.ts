import { LRUCache } from "lru-cache";

/** How many callers a process counts at once. A caller whose window is dropped starts a new one. */
const CALLERS_MAX = 50_000;

interface Window {
  count: number;
  /** In terms of `performance.now()`: the clock of the machine can be set, and would then lock callers out or in. */
  readonly endsAt: number;
}

/** A caller's requests in its window, the present one included, and how long the window still lasts, in ms. */
export interface WindowCount {
  readonly count: number;
  readonly resetMs: number;
}

/** Counts requests per caller in fixed windows, in the memory of this process. */
export class LocalCounter {
  readonly #windowMs: number;
  /** By caller. Read with `peek`, so that the window that began first is dropped first. */
  readonly #windows = new LRUCache<string, Window>({ max: CALLERS_MAX });

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** Counts one request of a caller, whose window begins with it unless one is open. */
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
