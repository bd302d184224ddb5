import { GatewayError } from "../errors.ts";
import type { Database } from "../store/database.ts";
import { mapTokenCounts, type RequestRow, STATE, UNKNOWN_COST } from "./record.ts";
import { claimDue, postponeLookup, makeMisdatedDue, settleRow, type Settlement } from "./sql/settlements.ts";
import { type FindGeneration, type GenerationRecord, hasFinalCost, LookupRefused } from "./cost-lookup.ts";
import { RETRY_AFTER_MAX_MS } from "../http/retry-after.ts";
import { LookupBackoff, type LookupFailure } from "./lookup-backoff.ts";

/** How many records are looked up at once. */
const LOOKUPS_MAX = 8;
/** How many rows are written at once: they add to the same sums, and others need connections to the database too. */
const WRITES_MAX = 4;
const BACKOFF_MAX_MS = 300_000;
const BACKOFF_MIN_MS = 100;
const RUN_EVERY_MAX_MS = 5_000;
const RUN_EVERY_MIN_MS = 50;
/** The least number of lookups without a final cost before a row is given up, however short `giveUpMs` is. */
const ATTEMPTS_MIN = 8;
const REPORT_EVERY_MS = 60_000;
/** For how many rows provisional records are counted. Beyond it the oldest count is dropped, and starts again. */
const PROVISIONAL_MAX = 10_000;

export interface CostReconcilerOptions {
  readonly database: Database;
  readonly findGeneration: FindGeneration;
  /** When a record can be there at the earliest, after its request has ended. */
  readonly settleAfterMs: number;
  /** How long a record is looked up that OpenRouter does not have. */
  readonly giveUpMs: number;
  /** Called with a request whose cost will not be known. */
  readonly onUnknown: (row: RequestRow) => void;
  /** Called at most once a minute with the last failure, and the number of failures. Each is retried. */
  readonly onFailure: (error: unknown, count: number) => void;
  /** A clock in ms that never goes back. */
  readonly now?: () => number;
}

/** A pending row, and the result of looking up its cost. */
interface CostLookup {
  readonly row: RequestRow;
  /** undefined: OpenRouter has none, or the lookup failed. */
  readonly record: GenerationRecord | undefined;
  readonly hasFailed: boolean;
}

/**
 * Settles the rows of requests that ended without their cost: looks up OpenRouter's record of each, patiently. Of all replicas
 * on a database one at a time claims a row, and none claims a settled one.
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
  /** How many records without a final cost have been read, by the id of their row. */
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

  /** Reconciles the rows that are due, over and over, until it is stopped. */
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

  /** Stops when the lookups in progress have been applied. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#run;
  }

  /**
   * Looks up the cost of every row that is due, unless lookups are backing off, and settles each whose cost is final.
   * @throws the first failure of the database.
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

  /** @returns the failures of the database: their rows stay claimed for a while, and do not keep others from being written. */
  async #applyAll(lookups: readonly CostLookup[]): Promise<unknown[]> {
    const waiting = lookups.values();
    const failures: unknown[] = [];
    const applyWaiting = async (): Promise<void> => {
      for (const lookup of waiting) await this.#apply(lookup).catch((error: unknown) => failures.push(error));
    };
    await Promise.all(Array.from({ length: WRITES_MAX }, applyWaiting));
    return failures;
  }

  /** Settles a row whose cost is final, gives up one whose cost has been looked up for too long, and postpones any other. */
  async #apply({ row, record, hasFailed }: CostLookup): Promise<void> {
    const { database, onUnknown } = this.#options;
    if (hasFailed) {
      const waitMs = Math.max(this.#backoff.remainingPauseMs, this.#getWaitAfterFailureMs(row));
      await postponeLookup(database, row.id, { waitMs, countsAsAttempt: false });
      return;
    }
    const attempts = row.settle_attempts + 1;
    const provisional = record && !hasFinalCost(record) ? this.#countProvisional(row.id) : 0;
    if (record && (provisional === 0 || provisional >= ATTEMPTS_MIN)) {
      await settleRow(database, row.id, toSettlement(record, row));
      this.#provisionalRecords.delete(row.id);
    } else if (record || attempts < this.#attemptsMax) {
      const waitMs = this.#getWaitAfterAttemptMs(provisional || attempts);
      await postponeLookup(database, row.id, { waitMs, countsAsAttempt: true });
    } else {
      const givenUp = await settleRow(database, row.id, { ...toSettlement(undefined, row), ...UNKNOWN_COST });
      if (givenUp) onUnknown(givenUp);
    }
  }

  /** Counts the provisional records of a row, apart from the lookups that found no record. */
  #countProvisional(id: string): number {
    const count = (this.#provisionalRecords.get(id) ?? 0) + 1;
    this.#provisionalRecords.set(id, count);
    if (this.#provisionalRecords.size > PROVISIONAL_MAX) {
      const [oldest = id] = this.#provisionalRecords.keys();
      this.#provisionalRecords.delete(oldest);
    }
    return count;
  }

  /** Twice as long after every attempt, up to five minutes, or less if the least number of attempts takes it. */
  #getWaitAfterAttemptMs(attempts: number): number {
    const { giveUpMs } = this.#options;
    const maxMs = Math.min(BACKOFF_MAX_MS, Math.max(giveUpMs / ATTEMPTS_MIN, BACKOFF_MIN_MS));
    return Math.min(this.#firstWaitMs * 2 ** Math.min(attempts - 1, 20), maxMs);
  }

  /** As long as the row has waited already: twice as long in all each time, up to five minutes. */
  #getWaitAfterFailureMs({ ended_at, started_at }: RequestRow): number {
    const ageMs = Date.now() - (ended_at ?? started_at);
    return Math.min(Math.max(ageMs, this.#firstWaitMs), BACKOFF_MAX_MS);
  }

  get #firstWaitMs(): number {
    return Math.max(this.#options.settleAfterMs, BACKOFF_MIN_MS);
  }

  /**
   * Counts the attempts after which a row is given up: as many as there are waits in `giveUpMs`. Counting needs no clock, so
   * one that jumps shortens the time by no more than one wait, and time without lookups does not count.
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

function toLookupFailure(error: unknown): LookupFailure {
  if (error instanceof LookupRefused) return error;
  // An invalid record concerns its generation only; any other error means that there was no response.
  const isGeneral = error instanceof GatewayError && error.code !== "upstream_bad_response";
  return { isGeneral, retryAfterMs: undefined };
}

function toSettlement(record: GenerationRecord | undefined, row: RequestRow): Settlement {
  return {
    state: STATE.settled,
    cost_source: "generation",
    cost_nanodollars: record?.costNanodollars ?? null,
    ...mapTokenCounts((name) => record?.tokens[name] ?? row[name]),
    is_byok: record?.isByok === undefined ? row.is_byok : Number(record.isByok),
    upstream_inference_nanodollars:
      record?.upstreamInferenceNanodollars ?? row.upstream_inference_nanodollars,
    provider: row.provider ?? record?.provider ?? null,
    response_model: row.response_model ?? record?.model ?? null,
  };
}
