import { GatewayError } from "../errors.ts";
import type { Database } from "../store/database.ts";
import { mapTokenCounts, type RequestRow, STATE, UNKNOWN_COST } from "./record.ts";
import { claimDue, postponeLookup, makeMisdatedDue, settleRow, type Settlement } from "./sql/settlements.ts";
import { type FindGeneration, type GenerationRecord, hasFinalCost, LookupRefused } from "./cost-lookup.ts";
import { RETRY_AFTER_MAX_MS } from "../http/retry-after.ts";
import { LookupBackoff, type LookupFailure } from "./lookup-backoff.ts";

/** So many records are asked for at once. */
const LOOKUPS_MAX = 8;
/** So many are written at once: they meet in the same sums, and others need connections to the database too. */
const WRITERS = 4;
const BACKOFF_MAX_MS = 300_000;
const BACKOFF_MIN_MS = 100;
const ROUND_MAX_MS = 5_000;
const ROUND_MIN_MS = 50;
/** The least number of lookups without a bill before a row is given up, however short `giveUpMs` is. */
const MISSES_MIN = 8;
const REPORT_EVERY_MS = 60_000;

/** How many rows have their records without a bill counted. Beyond it the oldest count is dropped, and starts again. */
const UNFILLED_MAX = 10_000;

export interface CostReconcilerOptions {
  readonly database: Database;
  readonly findGeneration: FindGeneration;
  /** When a record can be there at the earliest, after its request has ended. */
  readonly settleAfterMs: number;
  /** How long a record is asked for that OpenRouter says it does not have. */
  readonly giveUpMs: number;
  /** Called with a request whose cost will not be known. */
  readonly onUnknown: (row: RequestRow) => void;
  /** Called at most once a minute with the last failure, and how many there were. What failed is tried again. */
  readonly onFailure: (error: unknown, count: number) => void;
  /** A clock in ms that never goes back. */
  readonly now?: () => number;
}

/**
 * Settles requests that ended without their bill: asks OpenRouter for the record of each, patiently. Of all replicas on a
 * database one at a time claims a request, and none that is already settled.
 */
export class CostReconciler {
  readonly #options: CostReconcilerOptions;
  readonly #now: () => number;
  readonly #backoff: LookupBackoff;
  readonly #missesMax: number;
  #timer: NodeJS.Timeout | undefined = undefined;
  #round: Promise<void> = Promise.resolve();
  #stopped = false;
  #failures = 0;
  #reportedAt = -Infinity;
  #healthy = true;
  /** How many records without a bill have been read, by the id of their row. */
  readonly #unfilled = new Map<string, number>();

  constructor(options: CostReconcilerOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#backoff = new LookupBackoff(this.#now);
    this.#missesMax = this.#countMisses(options.giveUpMs);
  }

  /** Whether the last look-up got an answer. */
  get isHealthy(): boolean {
    return this.#healthy;
  }

  start(): void {
    const everyMs = Math.min(Math.max(this.#options.settleAfterMs / 4, ROUND_MIN_MS), ROUND_MAX_MS);
    this.#timer = setTimeout(() => {
      this.#round = this.#makeRound();
    }, everyMs);
    this.#timer.unref();
  }

  async #makeRound(): Promise<void> {
    await this.reconcileDue().catch((error: unknown) => this.#report(error));
    if (!this.#stopped) this.start();
  }

  /** Stops when the round under way is over. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#round;
  }

  /**
   * Asks for every record that is due, unless upstream is being left alone, and settles what OpenRouter knows of.
   * @throws the first failure of the database.
   */
  async reconcileDue(): Promise<void> {
    const { database, settleAfterMs } = this.#options;
    await makeMisdatedDue(database, 2 * Math.max(settleAfterMs, BACKOFF_MAX_MS, RETRY_AFTER_MAX_MS));
    const failures: unknown[] = [];
    for (;;) {
      const limit = this.#backoff.countAllowedLookups(LOOKUPS_MAX);
      const claimed = limit > 0 ? await claimDue(database, limit) : [];
      failures.push(...(await this.#settleAll(await Promise.all(claimed.map((row) => this.#ask(row))))));
      if (claimed.length === 0 || this.#stopped) break;
    }
    if (failures.length > 0) throw failures[0];
  }

  async #ask(row: RequestRow): Promise<CostLookup> {
    try {
      const record = await this.#options.findGeneration(row.generation_id ?? "");
      this.#backoff.recordSuccess();
      this.#healthy = true;
      return { row, record, failed: false };
    } catch (error) {
      this.#healthy = false;
      this.#backoff.recordFailure(toLookupFailure(error));
      this.#report(error);
      return { row, record: undefined, failed: true };
    }
  }

  /** @returns what kept rows from being written: they stay claimed for a while, and keep no others back. */
  async #settleAll(asked: readonly CostLookup[]): Promise<unknown[]> {
    const waiting = asked.values();
    const failures: unknown[] = [];
    const write = async (): Promise<void> => {
      for (const one of waiting) await this.#settleOne(one).catch((error: unknown) => failures.push(error));
    };
    await Promise.all(Array.from({ length: WRITERS }, write));
    return failures;
  }

  async #settleOne({ row, record, failed }: CostLookup): Promise<void> {
    const { database, onUnknown } = this.#options;
    if (failed) {
      const waitMs = Math.max(this.#backoff.remainingPauseMs, this.#waitAfterFailureMs(row));
      await postponeLookup(database, row.id, { waitMs, isMiss: false });
      return;
    }
    const misses = row.settle_attempts + 1;
    const unfilled = record && !hasFinalCost(record) ? this.#countUnfilled(row.id) : 0;
    if (record && (unfilled === 0 || unfilled >= MISSES_MIN)) {
      await settleRow(database, row.id, settlementOf(record, row));
      this.#unfilled.delete(row.id);
    } else if (record || misses < this.#missesMax) {
      await postponeLookup(database, row.id, {
        waitMs: this.#waitAfterMissMs(unfilled || misses),
        isMiss: true,
      });
    } else {
      const givenUp = await settleRow(database, row.id, { ...settlementOf(undefined, row), ...UNKNOWN_COST });
      if (givenUp) onUnknown(givenUp);
    }
  }

  /** Counts the records of a row that did not state its bill, apart from the lookups that found no record. */
  #countUnfilled(id: string): number {
    const count = (this.#unfilled.get(id) ?? 0) + 1;
    this.#unfilled.set(id, count);
    if (this.#unfilled.size > UNFILLED_MAX)
      for (const oldest of this.#unfilled.keys()) {
        this.#unfilled.delete(oldest);
        break;
      }
    return count;
  }

  /** Twice as long after every miss, up to five minutes, or what it takes for the least number of questions. */
  #waitAfterMissMs(misses: number): number {
    const { giveUpMs } = this.#options;
    const mostMs = Math.min(BACKOFF_MAX_MS, Math.max(giveUpMs / MISSES_MIN, BACKOFF_MIN_MS));
    return Math.min(this.#firstWaitMs * 2 ** Math.min(misses - 1, 20), mostMs);
  }

  /** As long as the row has waited already: twice as long in all each time, up to five minutes. */
  #waitAfterFailureMs({ ended_at, started_at }: RequestRow): number {
    const ageMs = Date.now() - (ended_at ?? started_at);
    return Math.min(Math.max(ageMs, this.#firstWaitMs), BACKOFF_MAX_MS);
  }

  get #firstWaitMs(): number {
    return Math.max(this.#options.settleAfterMs, BACKOFF_MIN_MS);
  }

  /**
   * How many misses it takes to give a row up: as many as there are waits in `giveUpMs`. Counting them needs no clock, so
   * one that jumps shortens the time by no more than one wait, and time in which nobody asked does not count.
   */
  #countMisses(giveUpMs: number): number {
    let misses = 1;
    for (let askedForMs = 0; askedForMs < giveUpMs; misses++) askedForMs += this.#waitAfterMissMs(misses);
    return Math.max(misses, MISSES_MIN);
  }

  #report(error: unknown): void {
    this.#failures++;
    if (this.#now() - this.#reportedAt < REPORT_EVERY_MS) return;
    this.#reportedAt = this.#now();
    this.#options.onFailure(error, this.#failures);
    this.#failures = 0;
  }
}

/** A row and what OpenRouter has said of it. */
interface CostLookup {
  readonly row: RequestRow;
  /** undefined: it has none, or the question got no answer. */
  readonly record: GenerationRecord | undefined;
  readonly failed: boolean;
}

function toLookupFailure(error: unknown): LookupFailure {
  if (error instanceof LookupRefused) return error;
  // A record that makes no sense says nothing of the others; anything else, that there was no answer.
  const isGeneral = error instanceof GatewayError && error.code !== "upstream_bad_response";
  return { isGeneral, retryAfterMs: undefined };
}

function settlementOf(record: GenerationRecord | undefined, row: RequestRow): Settlement {
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
