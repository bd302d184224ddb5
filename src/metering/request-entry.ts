import type { RequestContext, RequestMeter } from "../http/request-context.ts";
import { type RequestRow, STATE } from "./record.ts";
import type { StartEntry } from "./journal/format.ts";
import type { Journal, Segment } from "./journal/journal.ts";
import { completeRow, createOpenRow } from "./request-row.ts";
import type { PendingRow } from "./batch-writer.ts";

export interface RequestEntryOptions {
  readonly journal: Journal;
  /** How long after a request OpenRouter's own record of it may be there. */
  readonly settleAfterMs: number;
  /** Called when the row has changed and must be written. */
  readonly onChange: (entry: RequestEntry) => void;
  /** Called when the request has ended and its cost can never be known. */
  readonly onUnknown: (row: RequestRow) => void;
}

/** The account of one request, from before it is sent until its row is written. */
export class RequestEntry implements PendingRow, RequestMeter {
  /** Where its lines stand: of its beginning and of upstream's head. */
  readonly #segments: Segment[];
  readonly #options: RequestEntryOptions;
  readonly #row: RequestRow;
  isQueued = false;
  #ended = false;

  /** @param segment the segment of the journal that has its start entry. */
  constructor(startEntry: StartEntry, segment: Segment, options: RequestEntryOptions) {
    this.#segments = [segment];
    this.#options = options;
    this.#row = createOpenRow(startEntry, options.journal.instance);
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  get startedAt(): number {
    return this.#row.started_at;
  }

  toRow(): RequestRow {
    // A row that is still to change must not change while it is written.
    return this.#ended ? this.#row : { ...this.#row };
  }

  release(): void {
    for (const segment of this.#segments.splice(0)) this.#options.journal.release(segment);
  }

  recordHead(context: RequestContext, release: () => void): void {
    this.#keepHead(context, release);
  }

  recordGenerationId(context: RequestContext): void {
    this.#keepHead(context, () => {});
  }

  end(context: RequestContext): void {
    if (this.#ended) return;
    const { settleAfterMs, onChange, onUnknown } = this.#options;
    completeRow(this.#row, context, Date.now(), settleAfterMs);
    this.#ended = true;
    onChange(this);
    if (this.#row.state === STATE.unknown) onUnknown(this.#row);
  }

  #keepHead({ generationId, upstreamStatus }: RequestContext, kept: () => void): void {
    if (generationId !== undefined && !this.#ended) {
      this.#row.generation_id = generationId;
      // Should the disk with the journal be lost, the database knows whose bill to ask for.
      this.#options.onChange(this);
    }
    // If it cannot be kept the caller's bytes go on: should this process die now, the row ends as unknown.
    const segment = this.#options.journal.recordHead(
      this.#row,
      { status: upstreamStatus, generationId },
      kept,
    );
    if (segment) this.#segments.push(segment);
  }
}
