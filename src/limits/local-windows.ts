import { LRUCache } from "lru-cache";
import type { Reading } from "../store/redis-limits.ts";
import { boundCache } from "./cache-bound.ts";
import type { ScopedLimit } from "./scoped-limits.ts";

/** Maximum number of windows. A counter whose window is evicted starts a new one. */
const WINDOWS_MAX = 50_000;

/** The count of one limit in its current window, in the memory of this process. */
export interface LocalWindow {
  count: number;
  /** From `performance.now()`: a change of the system clock must not end a window early or late. */
  readonly endsAt: number;
}

/**
 * Counts requests and tokens in fixed windows, in the memory of this process. With Redis it keeps the last count that Redis
 * stated, and continues from this count if Redis fails.
 */
export class LocalWindows {
  /** Windows by key of the limit. Read with `peek`, which does not refresh an entry, so that the oldest is evicted first. */
  readonly #windows = new LRUCache<string, LocalWindow>(boundCache(WINDOWS_MAX));

  /** Reads the current window of a limit. */
  read({ key, windowMs }: ScopedLimit): Reading {
    const now = performance.now();
    const window = this.#windows.peek(key);
    if (window === undefined || window.endsAt <= now) return { count: 0, resetMs: windowMs, startedAt: 0 };
    return { count: window.count, resetMs: window.endsAt - now, startedAt: 0 };
  }

  /** Adds to the current window of a limit, or to a new one. @returns the window. */
  add({ key, windowMs }: ScopedLimit, amount: number): LocalWindow {
    const now = performance.now();
    let window = this.#windows.peek(key);
    if (window === undefined || window.endsAt <= now) {
      window = { count: 0, endsAt: now + windowMs };
      this.#windows.set(key, window);
    }
    window.count += amount;
    return window;
  }

  /** Corrects tokens that were counted in a window. If it is over, more tokens count in the current one. */
  correct(limit: ScopedLimit, window: LocalWindow, tokens: number): void {
    if (window.endsAt > performance.now()) window.count = Math.max(0, window.count + tokens);
    else if (tokens > 0) this.add(limit, tokens);
  }

  /** Replaces the window of a limit by the one that Redis stated. */
  replace({ key }: ScopedLimit, { count, resetMs }: Reading): void {
    this.#windows.set(key, { count, endsAt: performance.now() + resetMs });
  }
}
