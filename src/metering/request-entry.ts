import type { RequestContext, RequestMeter } from "../http/request-context.ts";
import type { Reservation } from "../budgets/reservation.ts";
import { type RequestRow, STATE } from "./record.ts";
import type { StartEntry } from "./journal/format.ts";
import type { Journal, Segment } from "./journal/journal.ts";
import { completeRow, createOpenRow } from "./request-row.ts";
import type { PendingRow } from "./batch-writer.ts";

export interface RequestEntryOptions {
  readonly journal: Journal;
  /** Time from the end of a request until OpenRouter may have a record of it. */
  readonly settleAfterMs: number;
  /** Called when the row has changed and must be written. */
  readonly onChange: (entry: RequestEntry) => void;
  /** Called when the request has ended and its cost will never be known. */
  readonly onUnknown: (row: RequestRow) => void;
}

/** A request whose start is in the journal. */
interface BegunRequest {
  readonly startEntry: StartEntry;
  /** The journal segment with the start entry. */
  readonly segment: Segment;
  readonly reservation: Reservation | undefined;
}

/** The record of one request, from before the request is sent until its final row is written. */
export class RequestEntry implements PendingRow, RequestMeter {
  readonly #options: RequestEntryOptions;
  readonly #startEntry: StartEntry;
  /** The journal segments with entries of this request. */
  readonly #segments: Segment[];
  readonly #row: RequestRow;
  #reservation: Reservation | undefined;
  isQueued = false;
  #hasEnded = false;

  constructor({ startEntry, segment, reservation }: BegunRequest, options: RequestEntryOptions) {
    this.#options = options;
    this.#startEntry = startEntry;
    this.#segments = [segment];
    this.#reservation = reservation;
    this.#row = createOpenRow(startEntry, options.journal.instance);
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get startedAt(): number {
    return this.#row.started_at;
  }

  toRow(): RequestRow {
    // Before the request ends, the row may still change. The batch writer therefore receives a copy, which does not change.
    return this.#hasEnded ? this.#row : { ...this.#row };
  }

  release(): void {
    for (const segment of this.#segments.splice(0)) this.#options.journal.release(segment);
  }

  takeReservation(): Reservation | undefined {
    const reservation = this.#reservation;
    this.#reservation = undefined;
    return reservation;
  }

  /** Releases the record of a request that was not started. */
  withdraw(): void {
    this.takeReservation()?.cancel();
    this.release();
  }

  recordHead({ generationId, upstreamStatus }: RequestContext, release: () => void): void {
    if (generationId !== undefined && !this.#hasEnded) {
      this.#row.generation_id = generationId;
      // Writes the id to the database too: if the disk with the journal is lost, the cost can still be looked up by this id.
      this.#options.onChange(this);
    }
    // The response is released even if the line cannot be written. If this process then dies, the cost becomes unknown.
    const head = { status: upstreamStatus, generationId };
    const segment = this.#options.journal.recordHead(this.#startEntry, head, release);
    if (segment) this.#segments.push(segment);
  }

  recordGenerationId(context: RequestContext): void {
    this.recordHead(context, () => {});
  }

  end(context: RequestContext): void {
    if (this.#hasEnded) return;
    const { settleAfterMs, onChange, onUnknown } = this.#options;
    completeRow(this.#row, context, Date.now(), settleAfterMs);
    this.#hasEnded = true;
    this.#reservation?.end(this.#row.cost_nanodollars ?? undefined);
    onChange(this);
    if (this.#row.state === STATE.unknown) onUnknown(this.#row);
  }
}
