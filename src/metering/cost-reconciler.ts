import type { Database } from "../store/database.ts";
import { type RequestRow, UNKNOWN_COST } from "./record.ts";
import { claimDue, postponeLookup, makeMisdatedDue, settleRow } from "./sql/settlements.ts";
import {
  type FindGeneration,
  type GenerationRecord,
  hasFinalCost,
  toLookupFailure,
  toSettlement,
} from "./cost-lookup.ts";
import { RETRY_AFTER_MAX_MS } from "../http/retry-after.ts";
import { LookupBackoff } from "./lookup-backoff.ts";

/** Maximum concurrent cost lookups. */
const LOOKUPS_MAX = 8;
/** Maximum concurrent writes. They update the same rollups, and other code needs database connections too. */
const WRITES_MAX = 4;
const BACKOFF_MAX_MS = 300_000;
const BACKOFF_MIN_MS = 100;
const RUN_EVERY_MAX_MS = 5_000;
const RUN_EVERY_MIN_MS = 50;
/** Minimum number of lookups without a final cost before a row is given up, however short `giveUpMs` is. */
const ATTEMPTS_MIN = 8;
const REPORT_EVERY_MS = 60_000;
/**
 * Maximum number of rows whose provisional records are counted. If there are more, the oldest count is dropped and restarts
 * at 0.
 */
const PROVISIONAL_MAX = 10_000;

export interface CostReconcilerOptions {
  readonly database: Database;
  readonly findGeneration: FindGeneration;
  /** Time from the end of a request until OpenRouter may have a record of it. */
  readonly settleAfterMs: number;
  /** How long to look up a cost for which OpenRouter has no record. */
  readonly giveUpMs: number;
  /** Called with each row that this reconciler settled. */
  readonly onSettled?: (row: RequestRow) => void;
  /** Called with the row of a request whose cost is given up as unknown. */
  readonly onUnknown: (row: RequestRow) => void;
  /**
   * Called at most once a minute with the last error and the number of failures since the last call. Failures are retried.
   */
  readonly onFailure: (error: unknown, count: number) => void;
  /** A monotonic clock in ms; default: `performance.now`. */
  readonly now?: () => number;
}

/** A pending row with the result of its cost lookup. */
interface CostLookup {
  readonly row: RequestRow;
  /** undefined if OpenRouter has no record or the lookup failed. */
  readonly record: GenerationRecord | undefined;
  readonly hasFailed: boolean;
}

/**
 * Settles the rows of requests that ended without a known cost: looks up OpenRouter's record of each, and retries with a
 * growing delay. Replicas that share a database claim rows first, so that no two of them look up the same row at the same
 * time.
 */
export class CostReconciler {
  readonly #options: CostReconcilerOptions;
  readonly #now: () => number;
  readonly #backoff: LookupBackoff;
  readonly #attemptsMax: number;
  #timer: NodeJS.Timeout | undefined = undefined;
  #run: Promise<void> = Promise.resolve();
  #isStopped = false;
  #isHealthy = true;
  #failures = 0;
  #reportedAt = -Infinity;
  /** Number of provisional records (those without a final cost) that lookups have returned, by row id. */
  readonly #provisionalRecords = new Map<string, number>();

  constructor(options: CostReconcilerOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#backoff = new LookupBackoff(this.#now);
    this.#attemptsMax = this.#countAttempts(options.giveUpMs);
  }

  /** Whether OpenRouter responded to the last lookup. */
  get isHealthy(): boolean {
    return this.#isHealthy;
  }

  /** Starts to reconcile the due rows periodically until `stop` is called. */
  start(): void {
    const everyMs = Math.min(Math.max(this.#options.settleAfterMs / 4, RUN_EVERY_MIN_MS), RUN_EVERY_MAX_MS);
    this.#timer = setTimeout(() => {
      this.#run = this.#runAndReschedule();
    }, everyMs);
    this.#timer.unref();
  }

  async #runAndReschedule(): Promise<void> {
    await this.reconcileDue().catch((error: unknown) => this.#report(error));
    if (!this.#isStopped) this.start();
  }

  /** Starts no further lookups and waits until the results of those in progress are applied. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#run;
  }

  /**
   * Looks up the cost of every due row, except while lookups are backing off, and settles the rows whose cost is final.
   * @throws the first database error, after all rows have been processed.
   */
  async reconcileDue(): Promise<void> {
    const { database, settleAfterMs } = this.#options;
    await makeMisdatedDue(database, 2 * Math.max(settleAfterMs, BACKOFF_MAX_MS, RETRY_AFTER_MAX_MS));
    const failures: unknown[] = [];
    for (;;) {
      const limit = this.#backoff.countAllowedLookups(LOOKUPS_MAX);
      const claimed = limit > 0 ? await claimDue(database, limit) : [];
      const lookups = await Promise.all(claimed.map((row) => this.#lookUpCost(row)));
      failures.push(...(await this.#applyAll(lookups)));
      if (claimed.length === 0 || this.#isStopped) break;
    }
    if (failures.length > 0) throw failures[0];
  }

  async #lookUpCost(row: RequestRow): Promise<CostLookup> {
    try {
      const record = await this.#options.findGeneration(row.generation_id ?? "");
      this.#backoff.recordSuccess();
      this.#isHealthy = true;
      return { row, record, hasFailed: false };
    } catch (error) {
      this.#isHealthy = false;
      this.#backoff.recordFailure(toLookupFailure(error));
      this.#report(error);
      return { row, record: undefined, hasFailed: true };
    }
  }

  /** Applies all lookups even if some fail. A row that failed can be claimed again later. @returns the database errors. */
  async #applyAll(lookups: readonly CostLookup[]): Promise<unknown[]> {
    const waiting = lookups.values();
    const failures: unknown[] = [];
    const applyWaiting = async (): Promise<void> => {
      for (const lookup of waiting) await this.#apply(lookup).catch((error: unknown) => failures.push(error));
    };
    await Promise.all(Array.from({ length: WRITES_MAX }, applyWaiting));
    return failures;
  }

  /** Settles a row with a final cost, gives up a row that has been looked up too often, and postpones any other. */
  async #apply({ row, record, hasFailed }: CostLookup): Promise<void> {
    const { database, onUnknown, onSettled } = this.#options;
    if (hasFailed) {
      const waitMs = Math.max(this.#backoff.remainingPauseMs, this.#getWaitAfterFailureMs(row));
      await postponeLookup(database, row.id, { waitMs, countsAsAttempt: false });
      return;
    }
    const attempts = row.settle_attempts + 1;
    const provisional = record && !hasFinalCost(record) ? this.#countProvisional(row.id) : 0;
    if (record && (provisional === 0 || provisional >= ATTEMPTS_MIN)) {
      const settled = await settleRow(database, row.id, toSettlement(record, row));
      if (settled) onSettled?.(settled);
      this.#provisionalRecords.delete(row.id);
    } else if (record || attempts < this.#attemptsMax) {
      const waitMs = this.#getWaitAfterAttemptMs(provisional || attempts);
      await postponeLookup(database, row.id, { waitMs, countsAsAttempt: true });
    } else {
      const givenUp = await settleRow(database, row.id, { ...toSettlement(undefined, row), ...UNKNOWN_COST });
      if (givenUp) onUnknown(givenUp);
    }
  }

  /** Counts a provisional record of a row. Lookups that find no record do not count here. @returns the count. */
  #countProvisional(id: string): number {
    const count = (this.#provisionalRecords.get(id) ?? 0) + 1;
    this.#provisionalRecords.set(id, count);
    if (this.#provisionalRecords.size > PROVISIONAL_MAX) {
      const [oldest = id] = this.#provisionalRecords.keys();
      this.#provisionalRecords.delete(oldest);
    }
    return count;
  }

  /**
   * Returns a wait that doubles with every attempt. The maximum is five minutes, or less if `ATTEMPTS_MIN` attempts would not
   * fit into `giveUpMs` otherwise.
   */
  #getWaitAfterAttemptMs(attempts: number): number {
    const { giveUpMs } = this.#options;
    const maxMs = Math.min(BACKOFF_MAX_MS, Math.max(giveUpMs / ATTEMPTS_MIN, BACKOFF_MIN_MS));
    return Math.min(this.#firstWaitMs * 2 ** Math.min(attempts - 1, 20), maxMs);
  }

  /** Returns the time since the request ended, at most five minutes. The total wait therefore doubles with every failure. */
  #getWaitAfterFailureMs({ ended_at, started_at }: RequestRow): number {
    const ageMs = Date.now() - (ended_at ?? started_at);
    return Math.min(Math.max(ageMs, this.#firstWaitMs), BACKOFF_MAX_MS);
  }

  get #firstWaitMs(): number {
    return Math.max(this.#options.settleAfterMs, BACKOFF_MIN_MS);
  }

  /**
   * Returns the number of attempts after which a row is given up: as many as fit into `giveUpMs` with the waits between
   * them. The reconciler counts attempts, not time, because a clock jump then skips at most one wait, and a period without
   * lookups does not count.
   */
  #countAttempts(giveUpMs: number): number {
    let attempts = 1;
    for (let waitedMs = 0; waitedMs < giveUpMs; attempts++) waitedMs += this.#getWaitAfterAttemptMs(attempts);
    return Math.max(attempts, ATTEMPTS_MIN);
  }

  #report(error: unknown): void {
    this.#failures++;
    if (this.#now() - this.#reportedAt < REPORT_EVERY_MS) return;
    this.#reportedAt = this.#now();
    this.#options.onFailure(error, this.#failures);
    this.#failures = 0;
  }
}
