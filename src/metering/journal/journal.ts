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
import { ENTRY, formatEntry, type HeadEntry, type StartEntry } from "./format.ts";
import { canWrite, deleteLock, getDamagedPath, getLockPath, getProbePath, getSegmentPath } from "./files.ts";
import { type CommitCallback, GroupCommit } from "./group-commit.ts";

const SEGMENT_MAX_BYTES = 16_777_216;
/** Otherwise the journal of a busy process would keep requests that ended long ago, and a recovery would replay them. */
const SEGMENT_MAX_MS = 600_000;
/** A small journal has smaller segments: a segment stays whole as long as one of its requests is in flight. */
const SEGMENTS_MIN = 8;

/** One file of a journal. It is deleted when none of its entries is needed any more. */
export interface Segment {
  readonly path: string;
  /** How many of its entries are of requests whose row is not written yet. */
  liveEntries: number;
  sizeBytes: number;
  /** ms since 1970. */
  readonly createdAt: number;
  /** It has whole rows that the database does not have yet. */
  hasSpilledRows: boolean;
  /** Some of its lines cannot be read: it is renamed, not deleted. */
  isDamaged: boolean;
}

/** The journal has no room or cannot be written: no request may start that could not be accounted for. */
export class JournalFull extends Error {}

/**
 * An append-only file of the requests in flight. The operating system has a line that is committed, so the line outlives the
 * process however that ends; the database gets its record later, in batches.
 */
export class Journal {
  readonly directory: string;
  readonly instance: string;
  readonly #maxBytes: number;
  readonly #segmentMaxBytes: number;
  readonly #lock: FileLock;
  readonly #groupCommit = new GroupCommit((lines) => this.#append(lines));
  readonly #segments = new Set<Segment>();
  #current: Segment | undefined = undefined;
  /** File descriptor of the current segment. */
  #file = -1;
  #segmentCount = 0;
  #sizeBytes = 0;
  #hasWriteFailed = false;

  /**
   * @param directory made when it is not there. @param instance names this process's files.
   * @throws when it cannot be written to.
   */
  constructor(directory: string, instance: string, maxBytes: number) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.directory = directory;
    this.instance = instance;
    this.#maxBytes = maxBytes;
    this.#segmentMaxBytes = Math.min(SEGMENT_MAX_BYTES, maxBytes / SEGMENTS_MIN);
    const lock = lockFile(getLockPath(directory, instance));
    if (!lock) throw new Error(`the journal of ${instance} is another process's`);
    this.#lock = lock;
  }

  /**
   * Records that a request starts.
   * @param onCommitted called in this turn of the event loop: the line is written, or the request may not start.
   * @returns the segment, to be given to `release`.
   * @throws JournalFull when the request may not start.
   */
  recordStart(startEntry: StartEntry, onCommitted: CommitCallback): Segment {
    if (this.#current && startEntry.started_at - this.#current.createdAt > SEGMENT_MAX_MS)
      this.#closeSegment();
    if (this.#sizeBytes > this.#maxBytes) throw new JournalFull("the journal is as long as it may be");
    const segment = this.#current ?? this.#openSegment();
    segment.liveEntries++;
    this.#groupCommit.add(formatEntry([ENTRY.start, startEntry]), onCommitted);
    return segment;
  }

  /**
   * Records that the head of upstream's response has arrived.
   * @param onCommitted called in this turn of the event loop.
   * @returns the segment, to be given to `release`; undefined when the line could not be written.
   */
  recordHead(startEntry: StartEntry, head: HeadEntry, onCommitted: CommitCallback): Segment | undefined {
    try {
      const segment = this.#current ?? this.#openSegment();
      this.#groupCommit.add(formatEntry([ENTRY.head, startEntry, head]), onCommitted);
      segment.liveEntries++;
      return segment;
    } catch (error) {
      onCommitted(error as Error);
      return undefined;
    }
  }

  /** Keeps rows that the database does not take now. @throws JournalFull when they could not be written. */
  spill(rows: readonly RequestRow[]): void {
    this.#groupCommit.flush();
    for (const row of rows) this.#append(formatEntry([ENTRY.row, row]), true);
  }

  /** Sets aside a row that the database rejects, for a person to look at. */
  quarantine(row: RequestRow): void {
    const line = `${JSON.stringify([ENTRY.row, row])}\n`;
    appendFileSync(join(this.directory, `${this.instance}.refused`), line, { mode: 0o600 });
  }

  /** Gives back one entry in this segment: it is not needed any more. */
  release(segment: Segment): void {
    segment.liveEntries--;
    // Otherwise a quiet process would keep entries of ended requests as long as it lives, and a recovery would replay them.
    if (segment === this.#current && segment.liveEntries === 0 && !segment.hasSpilledRows)
      this.#closeSegment();
    else this.#deleteUnneeded(segment);
  }

  /** Returns the segments with rows for the database. Closes the current one if it has some, so that they do not grow. */
  takeSpilled(): Segment[] {
    if (this.#current?.hasSpilledRows) this.#closeSegment();
    return [...this.#segments].filter(({ hasSpilledRows }) => hasSpilledRows);
  }

  /** Marks that the database has the rows of a segment. @param isDamaged some of its lines cannot be read. */
  markReplayed(segment: Segment, isDamaged = false): void {
    segment.hasSpilledRows = false;
    segment.isDamaged = isDamaged;
    this.#deleteUnneeded(segment);
  }

  /**
   * Whether a request could start now. After a failed write this tries again, in a file of its own: while readiness fails, no
   * request arrives that would try.
   */
  isWritable(): boolean {
    if (this.#hasWriteFailed) this.#hasWriteFailed = !canWrite(getProbePath(this.directory, this.instance));
    return !this.#hasWriteFailed && this.#sizeBytes <= this.#maxBytes;
  }

  get hasSpilled(): boolean {
    for (const { hasSpilledRows } of this.#segments) if (hasSpilledRows) return true;
    return false;
  }

  /** Closes its files. Entries that are still needed stay for the process that recovers them. */
  close(): void {
    this.#closeSegment();
    for (const segment of this.#segments) this.#deleteUnneeded(segment);
    this.#lock.release();
    if (this.#segments.size === 0) deleteLock(this.directory, this.instance);
  }

  /** Writes whole lines. @param areRows the segment has to stay until the database has them. */
  #append(lines: string, areRows = false): void {
    const segment = this.#current ?? this.#openSegment();
    const bytes = Buffer.byteLength(lines);
    try {
      if (writeSync(this.#file, lines) < bytes) throw new Error("the disk is full");
      this.#hasWriteFailed = false;
    } catch (cause) {
      this.#hasWriteFailed = true;
      this.#truncateToWritten(segment);
      this.#closeSegment();
      throw new JournalFull("the journal cannot be written", { cause });
    }
    segment.sizeBytes += bytes;
    this.#sizeBytes += bytes;
    // Before it may be closed, which deletes a segment that is not needed.
    if (areRows) segment.hasSpilledRows = true;
    if (segment.sizeBytes > this.#segmentMaxBytes) this.#closeSegment();
  }

  /** Removes a part of lines whose write failed. If that fails too, the next line is written to another file all the same. */
  #truncateToWritten(segment: Segment): void {
    try {
      ftruncateSync(this.#file, segment.sizeBytes);
    } catch {
      // Readers skip half a line; a whole one is of a request that was rejected.
    }
  }

  #openSegment(): Segment {
    const path = getSegmentPath(this.directory, this.instance, ++this.#segmentCount);
    try {
      this.#file = openSync(path, "ax", 0o600);
    } catch (cause) {
      this.#hasWriteFailed = true;
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

  #closeSegment(): void {
    // Lines that wait belong to the segment in which they were recorded.
    this.#groupCommit.flush();
    const segment = this.#current;
    if (!segment) return;
    closeSync(this.#file);
    this.#current = undefined;
    this.#deleteUnneeded(segment);
  }

  #deleteUnneeded(segment: Segment): void {
    if (segment === this.#current || segment.liveEntries > 0 || segment.hasSpilledRows) return;
    if (!this.#segments.delete(segment)) return;
    this.#sizeBytes -= segment.sizeBytes;
    if (segment.isDamaged) renameSync(segment.path, getDamagedPath(segment.path));
    else unlinkSync(segment.path);
  }
}
