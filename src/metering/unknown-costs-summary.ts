import { isAboveReservation, type RequestRow } from "./record.ts";
import type { LookupResult } from "./unknown-costs.ts";

/** Maximum number of rows that a summary lists. */
const LISTED_MAX = 10_000;

/** Results after which a row is still unknown. */
export const REMAINING_REASONS = [
  "not_found",
  "no_generation_id",
  "not_final",
  "failed",
  "not_looked_up",
] as const satisfies readonly LookupResult[];
export type RemainingReason = (typeof REMAINING_REASONS)[number];

/** Requests that are still unknown, and the amount that budgets presume for them. */
export interface Remaining {
  requests: number;
  reservedNanodollars: bigint;
}

/** The results of one key. */
export interface KeySummary {
  corrected: number;
  correctedNanodollars: bigint;
  remaining: number;
  reservedNanodollars: bigint;
}

/** A row that is still unknown. */
export interface RemainingRow {
  readonly row: RequestRow;
  readonly reason: RemainingReason;
}

/** Sums the results of a correction of unknown costs. Its size does not depend on the number of rows. */
export class UnknownCostsSummary {
  found = 0;
  corrected = 0;
  correctedNanodollars = 0n;
  correctedElsewhere = 0;
  /** Requests that cost more than was reserved for them. */
  aboveReservation = 0;
  readonly remaining = new Map<RemainingReason, Remaining>();
  /** By the name of the key. */
  readonly keys = new Map<string, KeySummary>();
  /** The first rows that are still unknown, at most 10,000. */
  readonly rows: RemainingRow[] = [];
  readonly #listsRows: boolean;

  /** @param listsRows whether to keep the rows that are still unknown. */
  constructor(listsRows: boolean) {
    this.#listsRows = listsRows;
  }

  /** Number of requests that are still unknown. */
  get stillUnknown(): number {
    return this.found - this.corrected - this.correctedElsewhere;
  }

  /** Adds the result of one row. @param costNanodollars the cost, if it was corrected. */
  add(row: RequestRow, result: LookupResult, costNanodollars: number): void {
    this.found++;
    if (result === "corrected") this.#addCorrected(row, costNanodollars);
    else if (result === "corrected_elsewhere") this.correctedElsewhere++;
    else this.#addRemaining(row, result);
  }

  #addCorrected(row: RequestRow, costNanodollars: number): void {
    this.corrected++;
    this.correctedNanodollars += BigInt(costNanodollars);
    if (isAboveReservation({ ...row, cost_nanodollars: costNanodollars })) this.aboveReservation++;
    const key = this.#findKey(row);
    key.corrected++;
    key.correctedNanodollars += BigInt(costNanodollars);
  }

  #addRemaining(row: RequestRow, reason: RemainingReason): void {
    const reserved = BigInt(row.reserved_nanodollars ?? 0);
    const remaining = this.remaining.get(reason) ?? { requests: 0, reservedNanodollars: 0n };
    this.remaining.set(reason, remaining);
    remaining.requests++;
    remaining.reservedNanodollars += reserved;
    const key = this.#findKey(row);
    key.remaining++;
    key.reservedNanodollars += reserved;
    if (this.#listsRows && this.rows.length < LISTED_MAX) this.rows.push({ row, reason });
  }

  #findKey({ key_name }: RequestRow): KeySummary {
    const known = this.keys.get(key_name);
    if (known) return known;
    const key = { corrected: 0, correctedNanodollars: 0n, remaining: 0, reservedNanodollars: 0n };
    this.keys.set(key_name, key);
    return key;
  }
}
