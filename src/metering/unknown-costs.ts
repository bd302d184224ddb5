import { setTimeout as sleep } from "node:timers/promises";
import { HOUR_MS } from "../durations.ts";
import type { Database } from "../store/database.ts";
import { isBusy } from "../store/database-errors.ts";
import {
  type FindGeneration,
  type GenerationRecord,
  hasFinalCost,
  LookupRefused,
  toLookupFailure,
  toSettlement,
} from "./cost-lookup.ts";
import { LookupBackoff } from "./lookup-backoff.ts";
import type { RequestRow } from "./record.ts";
import { settleRow } from "./sql/settlements.ts";
import { type Period, readUnknownRows } from "./sql/unknown-rows.ts";

/** Maximum concurrent lookups. Gateways that are running need lookups too. */
const LOOKUPS_MAX = 4;
const PAGE_ROWS = 500;
/** After this many consecutive failures without a response to any lookup, the remaining rows are not looked up. */
const GENERAL_FAILURES_MAX = 6;
/** A record without a final cost counts as final this long after the request: the request was cancelled early. */
const FINAL_AFTER_MS = HOUR_MS;
const WRITE_ATTEMPTS_MAX = 10;
const WRITE_RETRY_MS = 200;
const TOO_MANY_REQUESTS = 429;
const UNAUTHORIZED: ReadonlySet<number> = new Set([401, 403]);

/**
 * The result for one row: its cost was corrected, another process has corrected it, OpenRouter has no record, the request has
 * no generation id, the record may still change, the lookup failed, or the row was not looked up after too many failures.
 */
export type LookupResult =
  | "corrected"
  | "corrected_elsewhere"
  | "not_found"
  | "no_generation_id"
  | "not_final"
  | "failed"
  | "not_looked_up";

export interface UnknownCostsOptions {
  readonly database: Database;
  readonly findGeneration: FindGeneration;
  readonly period: Period;
  /** Whether to look up the costs without changing any row. */
  readonly isDryRun: boolean;
  /** Stops after the lookups in progress; their results are still applied. */
  readonly signal: AbortSignal;
  /** Called once for each unknown row of the period. @param costNanodollars the cost, if it was corrected. */
  readonly onResult: (row: RequestRow, result: LookupResult, costNanodollars: number) => void;
  /** Called with the last error before a pause of all lookups. */
  readonly onPause: (error: unknown, pauseMs: number) => void;
}

/** How a correction ended. */
export interface CorrectionEnd {
  /** Whether the signal stopped it before all rows were read. */
  readonly isInterrupted: boolean;
  /** The last error of a lookup; undefined if no lookup failed for good. */
  readonly error: unknown;
}

/**
 * Looks up the unknown costs of a period again, and corrects their rows, rollups and budgets. Gateways and other corrections
 * may run at the same time: each row is corrected only once.
 * @throws the error of the database.
 */
export async function correctUnknownCosts(options: UnknownCostsOptions): Promise<CorrectionEnd> {
  return new UnknownCostCorrection(options).run();
}

class UnknownCostCorrection {
  readonly #options: UnknownCostsOptions;
  readonly #backoff = new LookupBackoff(() => performance.now());
  /** Id of the last row that was read. */
  #after = "";
  #hasReadAll = false;
  #generalFailures = 0;
  /** Number of lookups to which OpenRouter responded with a result for the row. */
  #responses = 0;
  /** That number when a lookup of a row failed for the first time, by the id of the row. */
  readonly #failedAt = new Map<string, number>();
  #lastError: unknown = undefined;
  /** The error of a lookup that failed for good. */
  #error: unknown = undefined;

  constructor(options: UnknownCostsOptions) {
    this.#options = options;
  }

  async run(): Promise<CorrectionEnd> {
    const { signal, onResult } = this.#options;
    let waiting: readonly RequestRow[] = [];
    while (!signal.aborted) {
      if (waiting.length <= LOOKUPS_MAX) waiting = [...waiting, ...(await this.#readPage())];
      if (waiting.length === 0 && this.#hasReadAll) break;
      if (!this.#hasGivenUp) {
        waiting = await this.#correctNext(waiting);
        continue;
      }
      for (const row of waiting) onResult(row, "not_looked_up", 0);
      waiting = [];
    }
    return { isInterrupted: signal.aborted, error: this.#error };
  }

  get #hasGivenUp(): boolean {
    return this.#generalFailures >= GENERAL_FAILURES_MAX;
  }

  /** Reads the next page of rows, if there is one. @returns the rows that can be looked up. */
  async #readPage(): Promise<readonly RequestRow[]> {
    if (this.#hasReadAll) return [];
    const { database, period, onResult } = this.#options;
    const rows = await readUnknownRows(database, period, { after: this.#after, limit: PAGE_ROWS });
    this.#after = rows.at(-1)?.id ?? this.#after;
    this.#hasReadAll = rows.length < PAGE_ROWS;
    for (const row of rows) if (row.generation_id === null) onResult(row, "no_generation_id", 0);
    return rows.filter(({ generation_id }) => generation_id !== null);
  }

  /** Looks up and corrects the first rows. @returns the rows that still have to be looked up. */
  async #correctNext(waiting: readonly RequestRow[]): Promise<readonly RequestRow[]> {
    await this.#pause();
    if (this.#options.signal.aborted) return waiting;
    const batch = waiting.slice(0, Math.max(1, this.#backoff.countAllowedLookups(LOOKUPS_MAX)));
    const responsesBefore = this.#responses;
    const retries = await Promise.all(batch.map((row) => this.#correct(row)));
    if (this.#responses > responsesBefore) this.#generalFailures = 0;
    else if (retries.every(Boolean)) this.#generalFailures++;
    if (isUnauthorized(this.#lastError) && retries.some(Boolean))
      this.#generalFailures = GENERAL_FAILURES_MAX;
    if (this.#hasGivenUp) this.#error = this.#lastError;
    // Other rows come first: their results show whether only the lookups of these rows fail.
    return [...waiting.slice(batch.length), ...batch.filter((_, index) => retries[index])];
  }

  async #pause(): Promise<void> {
    const { signal, onPause } = this.#options;
    const pauseMs = this.#backoff.remainingPauseMs;
    if (pauseMs === 0) return;
    onPause(this.#lastError, pauseMs);
    await sleep(pauseMs, undefined, { signal }).catch(() => {});
  }

  /** Looks up and corrects one row. @returns whether to look it up again, because all lookups fail at the moment. */
  async #correct(row: RequestRow): Promise<boolean> {
    const { findGeneration, onResult } = this.#options;
    let record: GenerationRecord | undefined;
    try {
      record = await findGeneration(row.generation_id ?? "");
    } catch (error) {
      const failure = toLookupFailure(error);
      this.#backoff.recordFailure(failure);
      this.#lastError = error;
      if (failure.isGeneral && !this.#failsAlone(row, error)) return true;
      if (!failure.isGeneral) this.#responses++;
      this.#failedAt.delete(row.id);
      this.#error = error;
      onResult(row, "failed", 0);
      return false;
    }
    this.#backoff.recordSuccess();
    this.#failedAt.delete(row.id);
    this.#responses++;
    if (!record) onResult(row, "not_found", 0);
    else if (!isFinal(record, row)) onResult(row, "not_final", 0);
    else await this.#settle(row, record);
    return false;
  }

  /** Whether lookups of a row fail before and after OpenRouter responds to others. A 429 never concerns only one row. */
  #failsAlone({ id }: RequestRow, error: unknown): boolean {
    if (error instanceof LookupRefused && error.upstreamStatus === TOO_MANY_REQUESTS) return false;
    const failedAt = this.#failedAt.get(id) ?? this.#responses;
    this.#failedAt.set(id, failedAt);
    return failedAt < this.#responses;
  }

  async #settle(row: RequestRow, record: GenerationRecord): Promise<void> {
    const { database, isDryRun, onResult } = this.#options;
    const settled = isDryRun || (await settleWithRetries(database, row, record));
    onResult(row, settled ? "corrected" : "corrected_elsewhere", settled ? record.costNanodollars : 0);
  }
}

/** Settles a row. Retries while gateways hold the locks. @returns whether this call settled the row. */
async function settleWithRetries(
  database: Database,
  row: RequestRow,
  record: GenerationRecord,
): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    try {
      return (await settleRow(database, row.id, toSettlement(record, row))) !== undefined;
    } catch (error) {
      if (!isBusy(error) || attempt === WRITE_ATTEMPTS_MAX) throw error;
      await sleep(WRITE_RETRY_MS);
    }
  }
}

function isFinal(record: GenerationRecord, { ended_at, started_at }: RequestRow): boolean {
  return hasFinalCost(record) || Date.now() - (ended_at ?? started_at) > FINAL_AFTER_MS;
}

function isUnauthorized(error: unknown): boolean {
  return error instanceof LookupRefused && UNAUTHORIZED.has(error.upstreamStatus);
}
