import type { Reservation } from "../budgets/reservation.ts";
import { type RequestRow, STATE } from "./record.ts";
import { ENTRY, readEntries } from "./journal/format.ts";
import type { Journal, Segment } from "./journal/journal.ts";

/** How long rows stay queued before they are written. */
interface Delays {
  /** Time between two flushes. */
  readonly flushEveryMs: number;
  /**
   * Delay before the row of an in-flight request is written. Most requests end sooner, so their rows are written only once.
   */
  readonly openAfterMs: number;
}

/** With these delays, the row of an ended request is in the database within 200 ms, including the time of the write. */
const WITH_JOURNAL: Delays = { flushEveryMs: 150, openAfterMs: 1_000 };
/**
 * If the journal is lost with its process, only the database accounts for a request. The database therefore receives each
 * request within 250 ms of its start, and each generation id within 250 ms of the response head. The 250 ms are at most 50 ms
 * until the row is due, 50 ms until the next flush, and 150 ms for writes.
 */
const WITHOUT_JOURNAL: Delays = { flushEveryMs: 50, openAfterMs: 50 };
/**
 * A write that takes longer than this counts as hanging. The batch writer then spills the rows of this write, and rows that
 * become due, to the journal.
 */
const WRITE_HANGS_AFTER_MS = 100;
/** Maximum rows per write, so that no write blocks the event loop for long. */
const BATCH_MAX = 1_000;
/** Pause after a failed write. */
const RETRY_AFTER_MS = 1_000;

/** A row that has changed since it was last written to the database. */
export interface PendingRow {
  /** Returns the current content of the row. */
  toRow(): RequestRow;
  /** Whether the request has ended. */
  readonly hasEnded: boolean;
  /** Start of the request, in ms since 1970. */
  readonly startedAt: number;
  /** Whether the row is in the queue of the batch writer. Only the batch writer sets this. */
  isQueued: boolean;
  /** Releases the journal entries of the request. Further calls have no effect. */
  release(): void;
  /** Takes the reservation, which has to be committed when the database has the final row; undefined if there is none. */
  takeReservation(): Reservation | undefined;
}

export interface BatchWriterOptions {
  readonly journal: Journal;
  /** Whether another process can recover the journal. If not, open rows are written sooner. */
  readonly isJournalPersistent: boolean;
  /** Writes rows with distinct ids, all or none. Rejects only if the database fails. */
  readonly write: (rows: readonly RequestRow[]) => Promise<unknown>;
  /** Called with the number of journal lines that could not be read and may have been rows. */
  readonly onDamagedLines: (count: number) => void;
  /** Called when writes begin to fail, and when they succeed again. */
  readonly onHealth: (isHealthy: boolean, error?: unknown) => void;
}

/**
 * Writes rows to the database in batches, so that no request waits for the database. While the database fails or is too
 * slow, the rows of ended requests are spilled to the journal and replayed to the database later. A timer flushes the due
 * rows until no rows are left to write. States:
 *
 * - `idle`: no write is in progress. Next: `writing` at a flush.
 * - `writing`: a write is in progress. Next: `flush due` or `hanging` at a flush; `idle` when the write ends; `backing off`
 *   when the write fails.
 * - `flush due`: the timer fired within 100 ms of the start of the write, so the flush waits for the write to end. Next:
 *   `hanging` at a later flush; `idle` or `backing off` when the write ends, followed at once by the flush.
 * - `hanging`: the write takes longer than 100 ms. Its rows have been spilled, and a flush spills the due rows. Next: `idle` or
 *   `backing off` when the write ends.
 * - `backing off`: the last write failed. A flush spills the due rows. Next: `idle` at the first flush after one second.
 */
export class BatchWriter {
  readonly #options: BatchWriterOptions;
  readonly #delays: Delays;
  #state: "idle" | "writing" | "flush due" | "hanging" | "backing off" = "idle";
  /** May contain rows that are no longer queued. A Set would cost more garbage collection than this array; see `InFlight`. */
  #queued: PendingRow[] = [];
  /** Rows of the write in progress that are neither in the database nor spilled to the journal yet. */
  #writing: readonly PendingRow[] = [];
  /** Reservations of spilled rows that are not in the database yet. The leases in the database still contain their costs. */
  #spilledReservations: Reservation[] = [];
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

  /**
   * Number of ended requests whose rows are not in the database yet: in memory, or spilled to the journal. The rows of
   * in-flight requests are not counted, because they are queued on purpose, and busy gateways have thousands of them.
   */
  get waitingRows(): number {
    const queued = this.#queued.filter(({ isQueued, hasEnded }) => isQueued && hasEnded);
    const writing = this.#writing.filter(({ hasEnded }) => hasEnded);
    return queued.length + writing.length + this.#options.journal.spilledRows;
  }

  /** Queues a row that has changed. */
  enqueue(row: PendingRow): void {
    this.#queue(row);
    this.#scheduleFlush();
  }

  /** Writes all rows to the database now. Spills the rows that cannot be written. */
  async close(): Promise<void> {
    await this.#waitForWrites();
    this.#startWrite(this.#dequeue(Infinity));
    await this.#waitForWrites();
    clearTimeout(this.#flushTimer);
  }

  /** Waits for the write in progress, and for a write that a due flush starts after it. */
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

  /** Removes the due rows from the queue. @param openBefore rows of in-flight requests that started later stay queued. */
  #dequeue(openBefore: number): PendingRow[] {
    const due: PendingRow[] = [];
    const remaining: PendingRow[] = [];
    for (const row of this.#queued) {
      if (!row.isQueued) continue;
      row.isQueued = !row.hasEnded && row.startedAt > openBefore;
      (row.isQueued ? remaining : due).push(row);
    }
    this.#queued = remaining;
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
    const isFlushDue = this.#state === "flush due";
    this.#state = next;
    this.#writing = [];
    if (isFlushDue) this.#flush();
  }

  /** Writes the changed rows, then replays the spilled ones. @returns the next state. */
  async #writeBatch(batch: readonly PendingRow[]): Promise<"idle" | "backing off"> {
    let written = 0;
    this.#writing = batch;
    try {
      for (; written < batch.length; written += BATCH_MAX) {
        await this.#write(batch.slice(written, written + BATCH_MAX));
        this.#writing = this.#writing.slice(BATCH_MAX);
      }
      await this.#replaySpilled();
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
    // A request may have ended while its row was written as open. Its final row is not written yet, so nothing is released.
    for (const [index, row] of pending.entries()) {
      if (rows[index]?.state === STATE.open) continue;
      row.release();
      row.takeReservation()?.commit();
    }
  }

  async #replaySpilled(): Promise<void> {
    const reservations = this.#spilledReservations;
    this.#spilledReservations = [];
    try {
      for (const segment of this.#options.journal.takeSpilled()) await this.#replay(segment);
    } catch (error) {
      this.#spilledReservations.push(...reservations);
      throw error;
    }
    for (const reservation of reservations) reservation.commit();
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

  /** Spills the rows of a hanging write. If the write succeeds after all, the database ignores their replay. */
  #spillWriting(): void {
    const ended = this.#writing.filter((row) => row.hasEnded);
    this.#writing = [];
    try {
      this.#options.journal.spill(ended.map((row) => row.toRow()));
    } catch (error) {
      this.#setUnhealthy(error);
    }
  }

  /** Appends the rows of ended requests to the journal and queues the others again. */
  #spill(batch: readonly PendingRow[]): void {
    const ended = batch.filter((row) => row.hasEnded);
    for (const row of batch) if (!row.hasEnded) this.#queue(row);
    try {
      this.#options.journal.spill(ended.map((row) => row.toRow()));
      for (const row of ended) {
        row.release();
        const reservation = row.takeReservation();
        if (reservation) this.#spilledReservations.push(reservation);
        // If the request ended while its row was being written, the row was queued again. The spilled row is the final one.
        row.isQueued = false;
      }
    } catch (error) {
      // Neither the database nor the journal accepts the rows, so they stay in memory. Memory is bounded, because no request
      // starts without a journal. The database is retried as usual: its recovery lets the journal free space on a full disk.
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
