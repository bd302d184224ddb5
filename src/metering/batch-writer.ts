import { type RequestRow, STATE } from "./record.ts";
import type { Journal } from "./journal/journal.ts";
import { ENTRY, readEntries } from "./journal/format.ts";

/** How long rows wait. */
interface Delays {
  /** How long a row may wait for others of its batch. */
  readonly flushEveryMs: number;
  /** The row of a request in flight is written this long after its beginning: by then most have ended, and are written once. */
  readonly openAfterMs: number;
}

/** With the time a write takes, a finished row is in the database within 200 ms. */
const WITH_JOURNAL: Delays = { flushEveryMs: 150, openAfterMs: 1_000 };
/**
 * Where the journal is lost with its process, the database has to have every request within 250 ms of its beginning, and its
 * generation within 250 ms of the head: at most 50 ms until a row is due, 50 ms until the next flush, and 150 ms for writes.
 */
const WITHOUT_JOURNAL: Delays = { flushEveryMs: 50, openAfterMs: 50 };
/** A write that takes longer may hang, so that rows go to the journal. Until then they wait for its end. */
const WRITE_HANGS_AFTER_MS = 100;
/** So many rows are written at once, so that no write holds up what else the process does. */
const BATCH_MAX = 1_000;
/** A database that has failed is left alone for so long. */
const RETRY_AFTER_MS = 1_000;

/** A request whose row the database has not got as it is now. */
export interface PendingRow {
  /** The row as it is now. */
  toRow(): RequestRow;
  readonly hasEnded: boolean;
  /** ms since 1970. */
  readonly startedAt: number;
  /** It waits to be written: the writer's mark. */
  isQueued: boolean;
  /** Lets go of what it has in the journal. May be called again. */
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
  /** Told when the database begins to fail, and when it is well again. */
  readonly onHealth: (healthy: boolean, error?: unknown) => void;
}

/**
 * Brings rows to the database, in batches, so that no request ever waits for it. While it fails or cannot keep up, rows
 * that are finished go to the journal, and from there to the database when it is well.
 */
export class BatchWriter {
  readonly #options: BatchWriterOptions;
  readonly #delays: Delays;
  /** What waits, and what did: each has its mark. An array, for what a Set does to the garbage collector; see `InFlight`. */
  #unwritten: PendingRow[] = [];
  #timer: NodeJS.Timeout | undefined = undefined;
  #writing: Promise<void> | undefined = undefined;
  #writingSince = 0;
  /** Rows wait for the end of the write. */
  #isFlushDue = false;
  /** What the write under way has not brought to the database yet, and the journal does not have. */
  #inHand: readonly PendingRow[] = [];
  #failedAt = -Infinity;
  #healthy = true;

  constructor(options: BatchWriterOptions) {
    this.#options = options;
    this.#delays = options.isJournalPersistent ? WITH_JOURNAL : WITHOUT_JOURNAL;
  }

  /** Whether the last write went well. */
  get isHealthy(): boolean {
    return this.#healthy;
  }

  /** The row of a request has changed. */
  enqueue(unwritten: PendingRow): void {
    this.#wait(unwritten);
    this.#schedule();
  }

  #wait(unwritten: PendingRow): void {
    if (unwritten.isQueued) return;
    unwritten.isQueued = true;
    this.#unwritten.push(unwritten);
  }

  /** Brings everything to the database now, or what it does not take to the journal. */
  async close(): Promise<void> {
    await this.#idle();
    this.#begin(this.#take(Infinity));
    await this.#idle();
    clearTimeout(this.#timer);
  }

  /** Waits for the end of the write, and of one that follows it at once. */
  async #idle(): Promise<void> {
    do await this.#writing;
    while (this.#writing);
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#tick();
    }, this.#delays.flushEveryMs);
  }

  /** @param openBefore requests that are under way are left if they began later. */
  #take(openBefore: number): PendingRow[] {
    const taken: PendingRow[] = [];
    const left: PendingRow[] = [];
    for (const one of this.#unwritten) {
      if (!one.isQueued) continue;
      one.isQueued = !one.hasEnded && one.startedAt > openBefore;
      (one.isQueued ? left : taken).push(one);
    }
    this.#unwritten = left;
    return taken;
  }

  #tick(): void {
    if (this.#writing && performance.now() - this.#writingSince < WRITE_HANGS_AFTER_MS) {
      this.#isFlushDue = true;
      this.#schedule();
      return;
    }
    const batch = this.#take(Date.now() - this.#delays.openAfterMs);
    const resting = performance.now() - this.#failedAt < RETRY_AFTER_MS;
    if (this.#writing) this.#keepInHand();
    if (this.#writing || resting) this.#keep(batch);
    else if (batch.length > 0 || this.#options.journal.hasSpilled) this.#begin(batch);
    if (this.#writing || this.#unwritten.length > 0 || this.#options.journal.hasSpilled) this.#schedule();
  }

  #begin(batch: readonly PendingRow[]): void {
    this.#writingSince = performance.now();
    this.#isFlushDue = false;
    this.#writing = this.#bring(batch).finally(() => {
      this.#writing = undefined;
      this.#inHand = [];
      if (this.#isFlushDue) this.#tick();
    });
  }

  /** Writes what has changed, then what could not be written before. */
  async #bring(batch: readonly PendingRow[]): Promise<void> {
    let written = 0;
    this.#inHand = batch;
    try {
      for (; written < batch.length; written += BATCH_MAX) {
        await this.#write(batch.slice(written, written + BATCH_MAX));
        this.#inHand = this.#inHand.slice(BATCH_MAX);
      }
      this.#inHand = [];
      if (this.#options.journal.hasSpilled) await this.#replay();
      this.#well();
    } catch (error) {
      this.#failedAt = performance.now();
      this.#unwell(error);
      this.#keep(batch.slice(written));
    }
  }

  /** A write that takes long may hang: the journal has its rows too, and the database does not take them twice. */
  #keepInHand(): void {
    const ended = this.#inHand.filter((one) => one.hasEnded);
    this.#inHand = [];
    try {
      this.#options.journal.spill(ended.map((one) => one.toRow()));
    } catch (error) {
      this.#unwell(error);
    }
  }

  async #write(part: readonly PendingRow[]): Promise<void> {
    const rows = part.map((one) => one.toRow());
    await this.#options.write(rows);
    // A request may have ended while its row was written as one that is open.
    for (const [index, one] of part.entries()) if (rows[index]?.state !== STATE.open) one.release();
  }

  /** Finished rows to the journal; the others will be tried again, or finished. */
  #keep(batch: readonly PendingRow[]): void {
    const ended = batch.filter((one) => one.hasEnded);
    for (const one of batch) if (!one.hasEnded) this.#wait(one);
    try {
      this.#options.journal.spill(ended.map((one) => one.toRow()));
      for (const one of ended) {
        one.release();
        // It may have ended while it was being written: then it waits a second time.
        one.isQueued = false;
      }
    } catch (error) {
      // Neither takes them: they stay in memory, which is bounded because nothing new is begun without a journal. The
      // database is tried again as soon as it may be: it can be what a full disk waits for.
      this.#unwell(error);
      for (const one of ended) this.#wait(one);
    }
    if (batch.length > 0) this.#schedule();
  }

  async #replay(): Promise<void> {
    const { journal, write, onDamagedLines } = this.#options;
    for (const segment of journal.takeSpilled()) {
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
  }

  #well(): void {
    if (!this.#healthy) this.#options.onHealth(true);
    this.#healthy = true;
  }

  #unwell(error: unknown): void {
    if (this.#healthy) this.#options.onHealth(false, error);
    this.#healthy = false;
  }
}
