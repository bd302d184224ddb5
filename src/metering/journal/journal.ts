import {
  appendFileSync,
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  renameSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { RequestRow } from "../record.ts";
import { type FileLock, lockFile } from "../../store/file-lock.ts";
import { type HeadEntry, formatHeadEntry, formatEntry, formatStartEntry, type StartEntry } from "./format.ts";
import { canWrite, getDamagedPath, deleteLock, getLockPath, getProbePath, getSegmentPath } from "./files.ts";
import { type Committed, GroupCommit } from "./group-commit.ts";

const SEGMENT_MAX_BYTES = 16_777_216;
/** Or a busy process would keep what ended long ago, for whoever finds it to take over once more. */
const SEGMENT_MAX_MS = 600_000;
/** A small journal has smaller ones: a segment with one request under way stays whole. */
const SEGMENTS_MIN = 8;

/** One file of a journal. It is deleted when nothing in it is needed any more. */
export interface Segment {
  readonly path: string;
  /** Lines of requests in it whose end stands nowhere else yet. */
  liveEntries: number;
  sizeBytes: number;
  /** ms since 1970. */
  readonly createdAt: number;
  /** It holds whole rows that the database has not got. */
  hasSpilledRows: boolean;
  /** Some of its lines cannot be read: it is renamed, not deleted. */
  isDamaged: boolean;
}

/** The journal has no room or cannot be written: nothing may be begun that could not be accounted for. */
export class JournalFull extends Error {}

/**
 * An append-only file of what is under way. A line that is committed is with the system, so it outlives the process
 * however that ends; the database gets it later, in batches.
 */
export class Journal {
  readonly directory: string;
  readonly instance: string;
  readonly #maxBytes: number;
  readonly #segmentBytes: number;
  readonly #lock: FileLock;
  readonly #commits = new GroupCommit((lines) => this.#append(lines));
  readonly #segments = new Set<Segment>();
  #current: Segment | undefined = undefined;
  #file = -1;
  #count = 0;
  #bytes = 0;
  /** The last write failed. */
  #failed = false;

  /**
   * @param directory made when it is not there. @param instance names this process's files.
   * @throws when it cannot be written to.
   */
  constructor(directory: string, instance: string, maxBytes: number) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.directory = directory;
    this.instance = instance;
    this.#maxBytes = maxBytes;
    this.#segmentBytes = Math.min(SEGMENT_MAX_BYTES, maxBytes / SEGMENTS_MIN);
    const lock = lockFile(getLockPath(directory, instance));
    if (!lock) throw new Error(`the journal of ${instance} is another process's`);
    this.#lock = lock;
  }

  /**
   * A request begins.
   * @param committed told in this turn of the event loop that it is kept, or that it may not begin.
   * @returns the segment, to be given to `release`.
   * @throws JournalFull when it may not begin.
   */
  recordStart(startEntry: StartEntry, committed: Committed): Segment {
    if (this.#current && startEntry.started_at - this.#current.createdAt > SEGMENT_MAX_MS) this.#close();
    if (this.#bytes > this.#maxBytes) throw new JournalFull("the journal is as long as it may be");
    const segment = this.#current ?? this.#begin();
    segment.liveEntries++;
    this.#commits.add(formatStartEntry(startEntry), committed);
    return segment;
  }

  /** Upstream's head has come. @param committed told in this turn. @returns as `open`; undefined if it could not be kept. */
  recordHead(startEntry: StartEntry, head: HeadEntry, committed: Committed): Segment | undefined {
    try {
      const segment = this.#current ?? this.#begin();
      this.#commits.add(formatHeadEntry(startEntry, head), committed);
      segment.liveEntries++;
      return segment;
    } catch (error) {
      committed(error as Error);
      return undefined;
    }
  }

  /** Keeps rows that the database does not take now. @throws JournalFull when they could not be written. */
  spill(rows: readonly RequestRow[]): void {
    this.#commits.flush();
    for (const row of rows) this.#append(formatEntry(["row", row]), true);
  }

  /** Puts a row aside that the database will never take. A person has to look at it. */
  quarantine(row: RequestRow): void {
    const line = `${JSON.stringify(["row", row])}\n`;
    appendFileSync(join(this.directory, `${this.instance}.refused`), line, { mode: 0o600 });
  }

  /** What a request had in this segment is not needed any more. */
  release(segment: Segment): void {
    segment.liveEntries--;
    // A quiet process would keep what it has finished while it lives, for whoever finds it to take over.
    if (segment === this.#current && segment.liveEntries === 0 && !segment.hasSpilledRows) this.#close();
    else this.#deleteUnneeded(segment);
  }

  /** Segments with rows for the database. The current one is closed for it, so that they do not grow. */
  takeSpilled(): Segment[] {
    if (this.#current?.hasSpilledRows) this.#close();
    return [...this.#segments].filter(({ hasSpilledRows }) => hasSpilledRows);
  }

  /** The database has got the rows of a segment. @param isDamaged some of its lines cannot be read. */
  markReplayed(segment: Segment, isDamaged = false): void {
    segment.hasSpilledRows = false;
    segment.isDamaged = isDamaged;
    this.#deleteUnneeded(segment);
  }

  /**
   * Whether a request could begin now. After a write has failed it is tried again, in a file of its own: while readiness
   * fails, no request comes that would try it.
   */
  isWritable(): boolean {
    if (this.#failed) this.#failed = !canWrite(getProbePath(this.directory, this.instance));
    return !this.#failed && this.#bytes <= this.#maxBytes;
  }

  get hasSpilled(): boolean {
    for (const { hasSpilledRows } of this.#segments) if (hasSpilledRows) return true;
    return false;
  }

  /** Ends it; what is still needed stays for the next process that finds it. */
  close(): void {
    this.#close();
    for (const segment of this.#segments) this.#deleteUnneeded(segment);
    this.#lock.release();
    if (this.#segments.size === 0) deleteLock(this.directory, this.instance);
  }

  /** Writes whole lines. @param spilled they are rows, for which the segment has to stay. */
  #append(lines: string, spilled = false): void {
    const segment = this.#current ?? this.#begin();
    const bytes = Buffer.byteLength(lines);
    try {
      if (writeSync(this.#file, lines) < bytes) throw new Error("the disk is full");
      this.#failed = false;
    } catch (cause) {
      this.#failed = true;
      this.#takeBack(segment);
      this.#close();
      throw new JournalFull("the journal cannot be written", { cause });
    }
    segment.sizeBytes += bytes;
    this.#bytes += bytes;
    // Before it may be closed, which deletes what nobody needs.
    if (spilled) segment.hasSpilledRows = true;
    if (segment.sizeBytes > this.#segmentBytes) this.#close();
  }

  /** Takes off what was written of lines that are said not to be kept. If it stays, the next line stands in another file. */
  #takeBack(segment: Segment): void {
    try {
      ftruncateSync(this.#file, segment.sizeBytes);
    } catch {
      // Readers pass over half a line; a whole one is of a request that was refused.
    }
  }

  #begin(): Segment {
    const path = getSegmentPath(this.directory, this.instance, ++this.#count);
    try {
      this.#file = openSync(path, "ax", 0o600);
    } catch (cause) {
      this.#failed = true;
      throw new JournalFull("the journal cannot be written", { cause });
    }
    this.#current = {
      path,
      liveEntries: 0,
      sizeBytes: 0,
      createdAt: Date.now(),
      hasSpilledRows: false,
      isDamaged: false,
    };
    this.#segments.add(this.#current);
    return this.#current;
  }

  #close(): void {
    // What waits belongs to the segment it was begun in.
    this.#commits.flush();
    const segment = this.#current;
    if (!segment) return;
    closeSync(this.#file);
    this.#current = undefined;
    this.#deleteUnneeded(segment);
  }

  #deleteUnneeded(segment: Segment): void {
    if (segment === this.#current || segment.liveEntries > 0 || segment.hasSpilledRows) return;
    if (!this.#segments.delete(segment)) return;
    this.#bytes -= segment.sizeBytes;
    if (segment.isDamaged) renameSync(segment.path, getDamagedPath(segment.path));
    else unlinkSync(segment.path);
  }
}
