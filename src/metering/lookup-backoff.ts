const PAUSE_MIN_MS = 1_000;
const PAUSE_MAX_MS = 300_000;
/** After this many consecutive failures, the cause is assumed to be upstream, not the single generations. */
const FAILURES_MAX = 5;

/** The consequences of a failed lookup for later lookups. */
export interface LookupFailure {
  /** Whether the lookup of any other generation would fail as well. */
  readonly isGeneral: boolean;
  /** The wait that upstream requests; undefined if it requests none. */
  readonly retryAfterMs: number | undefined;
}

/**
 * Pauses all cost lookups of this process while upstream fails or limits their rate. Each pause is twice as long as the
 * previous one, and at least as long as the wait that upstream requests. After a pause, one lookup must succeed before
 * lookups run concurrently again.
 */
export class LookupBackoff {
  readonly #now: () => number;
  #pausedUntil = -Infinity;
  /** Number of consecutive pauses. Reset to 0 when a lookup succeeds outside a pause. */
  #pauses = 0;
  #failures = 0;

  /** @param now a monotonic clock in ms. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Remaining time of the current pause; 0 if there is none. */
  get remainingPauseMs(): number {
    return Math.max(0, this.#pausedUntil - this.#now());
  }

  /** Returns how many lookups may run concurrently: 0 in a pause, 1 after it, otherwise `most`. */
  countAllowedLookups(most: number): number {
    if (this.remainingPauseMs > 0) return 0;
    return this.#pauses > 0 ? 1 : most;
  }

  /** Records that upstream responded to a lookup, with a record or with 404. */
  recordSuccess(): void {
    // The lookup was sent before the pause began, so its success does not prove that upstream has recovered.
    if (this.remainingPauseMs > 0) return;
    this.#pauses = 0;
    this.#failures = 0;
  }

  /** Records a failed lookup. Starts or extends the pause if the failure concerns all lookups. */
  recordFailure({ isGeneral, retryAfterMs = 0 }: LookupFailure): void {
    this.#failures++;
    if (!isGeneral && this.#pauses === 0 && this.#failures < FAILURES_MAX) return;
    const startsPause = this.remainingPauseMs === 0;
    const pauseMs = startsPause ? Math.min(PAUSE_MIN_MS * 2 ** this.#pauses, PAUSE_MAX_MS) : 0;
    if (startsPause) this.#pauses++;
    this.#pausedUntil = Math.max(this.#pausedUntil, this.#now() + Math.max(pauseMs, retryAfterMs));
  }
}
