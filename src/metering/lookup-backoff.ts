const PAUSE_MIN_MS = 1_000;
const PAUSE_MAX_MS = 300_000;
/** After this many consecutive failures the fault is upstream's, not that of single generations. */
const FAILURES_MAX = 5;

/** What a failed lookup means for those to come. */
export interface LookupFailure {
  /** Whether the lookup of any other generation would fail as well. */
  readonly isGeneral: boolean;
  /** How long upstream asks to wait. */
  readonly retryAfterMs: number | undefined;
}

/**
 * One pause for all cost lookups of this process: while upstream fails, or has too many requests, no row is looked up. Each
 * pause is twice as long as the previous one, and at least as long as upstream asks for; after it a single lookup has to
 * succeed before the others are made.
 */
export class LookupBackoff {
  readonly #now: () => number;
  #pausedUntil = -Infinity;
  /** Consecutive pauses: reset when a lookup succeeds while there is no pause. */
  #pauses = 0;
  #failures = 0;

  /** @param now a clock in ms that never goes back. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** What is left of the pause. */
  get remainingPauseMs(): number {
    return Math.max(0, this.#pausedUntil - this.#now());
  }

  /** How many lookups may be made at once: none in a pause, one after it. @param most when upstream is well. */
  countAllowedLookups(most: number): number {
    if (this.remainingPauseMs > 0) return 0;
    return this.#pauses > 0 ? 1 : most;
  }

  /** Upstream answered a lookup with a record, or that there is none. */
  recordSuccess(): void {
    // Sent before the pause: it does not say that upstream is well again.
    if (this.remainingPauseMs > 0) return;
    this.#pauses = 0;
    this.#failures = 0;
  }

  recordFailure({ isGeneral, retryAfterMs = 0 }: LookupFailure): void {
    this.#failures++;
    if (!isGeneral && this.#pauses === 0 && this.#failures < FAILURES_MAX) return;
    const startsPause = this.remainingPauseMs === 0;
    const pauseMs = startsPause ? Math.min(PAUSE_MIN_MS * 2 ** this.#pauses, PAUSE_MAX_MS) : 0;
    if (startsPause) this.#pauses++;
    this.#pausedUntil = Math.max(this.#pausedUntil, this.#now() + Math.max(pauseMs, retryAfterMs));
  }
}
