import type { RequestRow } from "../store/request-row.ts";
import type { Journal } from "./journal.ts";
import { entriesOf } from "./journal-reader.ts";

/** How long a row may wait for others. With the time a write takes, all that is finished is on disk within 200 ms. */
const FLUSH_EVERY_MS = 150;
/** So many rows are written at once, so that no write holds up what else the process does. */
const BATCH_MAX = 1_000;
/** A database that has failed is left alone for so long. */
const RETRY_AFTER_MS = 1_000;

/** Most requests are over by then, and their rows written once. The row of one that is not is there should its disk be lost. */
const OPEN_AFTER_MS = 1_000;

/** A request whose row the database has not got as it is now. */
export interface Unwritten {
  /** The row as it is now. */
  row(): RequestRow;
  readonly ended: boolean;
  /** ms since 1970. */
  readonly startedAt: number;
  /** It waits to be written: the writer's mark. */
  waits: boolean;
  /** Lets go of what it has in the journal. May be called again. */
  release(): void;
}

export interface WriterOptions {
  readonly journal: Journal;
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
export class Writer {
  readonly #options: WriterOptions;
  /** What waits, and what did: each has its mark. An array, for what a Set does to the garbage collector; see `InFlight`. */
  #unwritten: Unwritten[] = [];
  #timer: NodeJS.Timeout | undefined = undefined;
  #writing: Promise<void> | undefined = undefined;
  /** What the write under way has not brought to the database yet, and the journal does not have. */
  #inHand: readonly Unwritten[] = [];
  #failedAt = -Infinity;
  #healthy = true;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** Whether the last write went well. */
  get healthy(): boolean {
    return this.#healthy;
  }

  /** The row of a request has changed. */
  add(unwritten: Unwritten): void {
    this.#wait(unwritten);
    this.#schedule();
  }

  #wait(unwritten: Unwritten): void {
    if (unwritten.waits) return;
    unwritten.waits = true;
    this.#unwritten.push(unwritten);
  }

  /** Brings everything to the database now, or what it does not take to the journal. */
  async close(): Promise<void> {
    await this.#writing;
    this.#begin(this.#take(Infinity));
    await this.#writing;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#tick();
    }, FLUSH_EVERY_MS);
  }

  /** @param openBefore requests that are under way are left if they began later. */
  #take(openBefore: number): Unwritten[] {
    const taken: Unwritten[] = [];
    const left: Unwritten[] = [];
    for (const one of this.#unwritten) {
      if (!one.waits) continue;
      one.waits = !one.ended && one.startedAt > openBefore;
      (one.waits ? left : taken).push(one);
    }
    this.#unwritten = left;
    return taken;
  }

  #tick(): void {
    const batch = this.#take(Date.now() - OPEN_AFTER_MS);
    const resting = performance.now() - this.#failedAt < RETRY_AFTER_MS;
    if (this.#writing) this.#keepInHand();
    if (this.#writing || resting) this.#keep(batch);
    else if (batch.length > 0 || this.#options.journal.hasSpilled) this.#begin(batch);
    if (this.#writing || this.#unwritten.length > 0 || this.#options.journal.hasSpilled) this.#schedule();
  }

  #begin(batch: readonly Unwritten[]): void {
    this.#writing = this.#bring(batch).finally(() => {
      this.#writing = undefined;
      this.#inHand = [];
    });
  }

  /** Writes what has changed, then what could not be written before. */
  async #bring(batch: readonly Unwritten[]): Promise<void> {
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
    const ended = this.#inHand.filter((one) => one.ended);
    this.#inHand = [];
    try {
      this.#options.journal.spill(ended.map((one) => one.row()));
    } catch (error) {
      this.#unwell(error);
    }
  }

  async #write(part: readonly Unwritten[]): Promise<void> {
    const rows = part.map((one) => one.row());
    await this.#options.write(rows);
    // A request may have ended while its row was written as one that is open.
    for (const [index, one] of part.entries()) if (rows[index]?.state !== "open") one.release();
  }

  /** Finished rows to the journal; the others will be tried again, or finished. */
  #keep(batch: readonly Unwritten[]): void {
    const ended = batch.filter((one) => one.ended);
    for (const one of batch) if (!one.ended) this.#wait(one);
    try {
      this.#options.journal.spill(ended.map((one) => one.row()));
      for (const one of ended) {
        one.release();
        // It may have ended while it was being written: then it waits a second time.
        one.waits = false;
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
      for await (const entry of entriesOf(segment.path, () => damagedLines++)) {
        if (entry[0] === "row") rows.set(entry[1].id, entry[1]);
        if (rows.size < BATCH_MAX) continue;
        await write([...rows.values()]);
        rows.clear();
      }
      await write([...rows.values()]);
      journal.replayed(segment, damagedLines > 0);
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
