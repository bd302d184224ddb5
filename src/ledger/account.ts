import type { Exchange } from "../http/exchange.ts";
import type { RequestRow } from "../store/request-row.ts";
import { generationIdOf } from "../upstream/answer-head.ts";
import type { HeadGate } from "../upstream/call.ts";
import type { Opening } from "./entry.ts";
import type { Journal, Segment } from "./journal.ts";
import { completeRow, openRow } from "./request-record.ts";
import type { Unwritten } from "./writer.ts";

/** The account of one request, from before it is sent until its row is written. */
export class Account implements Unwritten {
  /** Where its lines stand: of its beginning and of upstream's head. */
  readonly #segments: Segment[];
  readonly #journal: Journal;
  readonly #changed: (account: Account) => void;
  readonly #row: RequestRow;
  waits = false;
  #ended = false;

  /** @param segment where its beginning stands. @param changed told when its row is to be written once more. */
  constructor(opening: Opening, segment: Segment, journal: Journal, changed: (account: Account) => void) {
    this.#segments = [segment];
    this.#journal = journal;
    this.#changed = changed;
    this.#row = openRow(opening, journal.instance);
  }

  get ended(): boolean {
    return this.#ended;
  }

  get startedAt(): number {
    return this.#row.started_at;
  }

  row(): RequestRow {
    // A row that is still to change must not change while it is written.
    return this.#ended ? this.#row : { ...this.#row };
  }

  release(): void {
    for (const segment of this.#segments.splice(0)) this.#journal.release(segment);
  }

  /** @returns what lets an answer pass when its head is in the journal. */
  gate(exchange: Exchange): HeadGate {
    return (head, pass) => {
      // The caller may leave while the head is held back, and the bill has to be asked for all the same.
      exchange.upstreamStatus = head.status;
      exchange.generationId = generationIdOf(head);
      exchange.works();
      this.#headCame(exchange, pass);
    };
  }

  /** The body of the answer has stated the id that its head did not: keeps it as the head's would have been kept. */
  identify(exchange: Exchange): void {
    this.#headCame(exchange, () => {});
  }

  /** @param settleAfterMs when OpenRouter's own record of it may be there. @returns its row. */
  end(exchange: Exchange, settleAfterMs: number): RequestRow {
    completeRow(this.#row, exchange, Date.now(), settleAfterMs);
    this.#ended = true;
    this.#changed(this);
    return this.#row;
  }

  #headCame({ generationId, upstreamStatus }: Exchange, kept: () => void): void {
    if (generationId !== undefined && !this.#ended) {
      this.#row.generation_id = generationId;
      // Should the disk with the journal be lost, the database knows whose bill to ask for.
      this.#changed(this);
    }
    // If it cannot be kept the caller's bytes go on: should this process die now, the row ends as unknown.
    const segment = this.#journal.head(this.#row, { status: upstreamStatus, generationId }, kept);
    if (segment) this.#segments.push(segment);
  }
}
