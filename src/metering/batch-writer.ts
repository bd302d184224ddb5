import { type RequestRow, STATE } from "./record.ts";
import { ENTRY, readEntries } from "./journal/format.ts";
import type { Journal, Segment } from "./journal/journal.ts";

/** How long rows are queued. */
interface Delays {
  /** How long a row may wait for others of its batch. */
  readonly flushEveryMs: number;
  /** The row of a request in flight is written this long after its start: by then most have ended, and are written once. */
  readonly openAfterMs: number;
}

/** With the time a write takes, the row of a request that has ended is in the database within 200 ms. */
const WITH_JOURNAL: Delays = { flushEveryMs: 150, openAfterMs: 1_000 };
/**
 * Where the journal is lost with its process, the database has to have every request within 250 ms of its start, and its
 * generation within 250 ms of the head: at most 50 ms until a row is due, 50 ms until the next flush, and 150 ms for writes.
 */
const WITHOUT_JOURNAL: Delays = { flushEveryMs: 50, openAfterMs: 50 };
/** A write that takes longer may hang, so that rows go to the journal. Until then they wait for its end. */
const WRITE_HANGS_AFTER_MS = 100;
/** How many rows are written at once, so that no write holds up what else the process does. */
const BATCH_MAX = 1_000;
/** How long a database that has failed is left alone. */
const RETRY_AFTER_MS = 1_000;

/** A request whose row the database does not have as it is now. */
export interface PendingRow {
  /** Returns the row as it is now. */
  toRow(): RequestRow;
  readonly hasEnded: boolean;
  /** ms since 1970. */
  readonly startedAt: number;
  /** Whether it is in the queue of the writer, which sets this. */
  isQueued: boolean;
  /** Releases its entries in the journal. May be called again. */
  release(): void;
}

export interface BatchWriterOptions {
  readonly journal: Journal;
  /** Whether another process can recover the journal; otherwise open rows are written sooner. */
  readonly isJournalPersistent: boolean;
  /** Writes rows of which no two have the same id, all or none; fails only when the database does. */
  readonly write: (rows: readonly RequestRow[]) => Promise<unknown>;
  /** Called with the number of lines of the journal that could not be read: they may have been rows. */
  readonly onDamagedLines: (count: number) => void;
  /** Called when the database begins to fail, and when it works again. */
  readonly onHealth: (isHealthy: boolean, error?: unknown) => void;
}

/**
 * Writes rows to the database, in batches, so that no request waits for it. While the database fails or cannot keep up, the
 * rows of requests that have ended are spilled to the journal, and replayed to the database later. A timer flushes what is
 * due as long as there are rows to write. States:
 *
 * - `idle`: no write is in progress. Next: writing, at a flush.
 * - `writing`: one write is in progress. Next: flush due or hanging, at a flush; idle, at its end; backing off, if it failed.
 * - `flush due`: a flush came within 100 ms of the start of the write, and waits for its end. Next: hanging, at a later flush;
 *   idle or backing off, at the end of the write, with a flush at once.
 * - `hanging`: the write takes longer. Its rows have been spilled, and a flush spills what is due. Next: as for flush due.
 * - `backing off`: the last write failed. A flush spills what is due. Next: idle, at a flush when a second has passed.
 */
export class BatchWriter {
  readonly #options: BatchWriterOptions;
  readonly #delays: Delays;
  #state: "idle" | "writing" | "flush due" | "hanging" | "backing off" = "idle";
  /** An array in which some are no longer queued, for what a Set does to the garbage collector; see `InFlight`. */
  #queued: PendingRow[] = [];
  /** Of the write in progress, those that neither the database nor the journal has yet. */
  #writing: readonly PendingRow[] = [];
  #writeStartedAt = 0;
  #writeEnd: Promise<void> = Promise.resolve();
  #failedAt = 0;
  #flushTimer: NodeJS.Timeout | undefined = undefined;
  #isHealthy = true;

  constructor(options: BatchWriterOptions) {
    this.#options = options;
    this.#delays = options.isJournalPersistent ? WITH_JOURNAL : WITHOUT_JOURNAL;
  }

  /** Whether the last write succeeded. */
  get isHealthy(): boolean {
    return this.#isHealthy;
  }

  /** Queues a row that has changed. */
  enqueue(row: PendingRow): void {
    this.#queue(row);
    this.#scheduleFlush();
  }

  /** Writes all rows to the database now, or spills those that it does not take. */
  async close(): Promise<void> {
    await this.#waitForWrites();
    this.#startWrite(this.#dequeue(Infinity));
    await this.#waitForWrites();
    clearTimeout(this.#flushTimer);
  }

  /** Waits for the end of the write, and of one that follows it at once. */
  async #waitForWrites(): Promise<void> {
    while (this.#isWriting()) await this.#writeEnd;
  }

  #isWriting(): boolean {
    return this.#state !== "idle" && this.#state !== "backing off";
  }

  #queue(row: PendingRow): void {
    if (row.isQueued) return;
    row.isQueued = true;
    this.#queued.push(row);
  }

  #scheduleFlush(): void {
    this.#flushTimer ??= setTimeout(() => {
      this.#flushTimer = undefined;
      this.#flush();
    }, this.#delays.flushEveryMs);
  }

  /** @param openBefore requests in flight stay queued if they started later. */
  #dequeue(openBefore: number): PendingRow[] {
    const due: PendingRow[] = [];
    const left: PendingRow[] = [];
    for (const row of this.#queued) {
      if (!row.isQueued) continue;
      row.isQueued = !row.hasEnded && row.startedAt > openBefore;
      (row.isQueued ? left : due).push(row);
    }
    this.#queued = left;
    return due;
  }

  #flush(): void {
    if (this.#isWriting()) {
      if (performance.now() - this.#writeStartedAt < WRITE_HANGS_AFTER_MS) {
        this.#state = "flush due";
        this.#scheduleFlush();
        return;
      }
      this.#state = "hanging";
      this.#spillWriting();
    } else if (this.#state === "backing off" && performance.now() - this.#failedAt >= RETRY_AFTER_MS)
      this.#state = "idle";
    const due = this.#dequeue(Date.now() - this.#delays.openAfterMs);
    if (this.#state !== "idle") this.#spill(due);
    else if (due.length > 0 || this.#options.journal.hasSpilled) this.#startWrite(due);
    if (this.#isWriting() || this.#queued.length > 0 || this.#options.journal.hasSpilled)
      this.#scheduleFlush();
  }

  #startWrite(batch: readonly PendingRow[]): void {
    this.#state = "writing";
    this.#writeStartedAt = performance.now();
    this.#writeEnd = this.#finishWrite(this.#writeBatch(batch));
  }

  async #finishWrite(write: Promise<"idle" | "backing off">): Promise<void> {
    const next = await write;
    const isFlushDue = this.#state !== "writing";
    this.#state = next;
    this.#writing = [];
    if (isFlushDue) this.#flush();
  }

  /** Writes rows that have changed, then replays those that were spilled. @returns the next state. */
  async #writeBatch(batch: readonly PendingRow[]): Promise<"idle" | "backing off"> {
    let written = 0;
    this.#writing = batch;
    try {
      for (; written < batch.length; written += BATCH_MAX) {
        await this.#write(batch.slice(written, written + BATCH_MAX));
        this.#writing = this.#writing.slice(BATCH_MAX);
      }
      for (const segment of this.#options.journal.takeSpilled()) await this.#replay(segment);
      this.#setHealthy();
      return "idle";
    } catch (error) {
      this.#failedAt = performance.now();
      this.#setUnhealthy(error);
      this.#spill(batch.slice(written));
      return "backing off";
    }
  }

  async #write(pending: readonly PendingRow[]): Promise<void> {
    const rows = pending.map((row) => row.toRow());
    await this.#options.write(rows);
    // A request may have ended while its row was written as an open one.
    for (const [index, row] of pending.entries()) if (rows[index]?.state !== STATE.open) row.release();
  }

  async #replay(segment: Segment): Promise<void> {
    const { journal, write, onDamagedLines } = this.#options;
    const rows = new Map<string, RequestRow>();
    let damagedLines = 0;
    for await (const entry of readEntries(segment.path, () => damagedLines++)) {
      if (entry[0] === ENTRY.row) rows.set(entry[1].id, entry[1]);
      if (rows.size < BATCH_MAX) continue;
      await write([...rows.values()]);
      rows.clear();
    }
    await write([...rows.values()]);
    journal.markReplayed(segment, damagedLines > 0);
    if (damagedLines > 0) onDamagedLines(damagedLines);
  }

  /** Spills the rows of a write that may hang, too: the database does not take them twice. */
  #spillWriting(): void {
    const ended = this.#writing.filter((row) => row.hasEnded);
    this.#writing = [];
    try {
      this.#options.journal.spill(ended.map((row) => row.toRow()));
    } catch (error) {
      this.#setUnhealthy(error);
    }
  }

  /** Appends the rows of requests that have ended to the journal; the others are queued again. */
  #spill(batch: readonly PendingRow[]): void {
    const ended = batch.filter((row) => row.hasEnded);
    for (const row of batch) if (!row.hasEnded) this.#queue(row);
    try {
      this.#options.journal.spill(ended.map((row) => row.toRow()));
      for (const row of ended) {
        row.release();
        // It may have ended while it was being written: then it was queued a second time.
        row.isQueued = false;
      }
    } catch (error) {
      // Neither takes them: they stay in memory, which is bounded because no request starts without a journal. The database
      // is tried again as soon as it may be: a full disk can depend on it.
      this.#setUnhealthy(error);
      for (const row of ended) this.#queue(row);
    }
    if (batch.length > 0) this.#scheduleFlush();
  }

  #setHealthy(): void {
    if (!this.#isHealthy) this.#options.onHealth(true);
    this.#isHealthy = true;
  }

  #setUnhealthy(error: unknown): void {
    if (this.#isHealthy) this.#options.onHealth(false, error);
    this.#isHealthy = false;
  }
}
