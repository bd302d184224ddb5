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
import type { RequestRow } from "../record.ts";
import { type FileLock, lockFile } from "../../store/file-lock.ts";
import { ENTRY, formatEntry, type HeadEntry, type StartEntry } from "./format.ts";
import {
  canWrite,
  deleteLock,
  getDamagedPath,
  getLockPath,
  getProbePath,
  getRefusedPath,
  getSegmentPath,
} from "./files.ts";
import { type CommitCallback, GroupCommit } from "./group-commit.ts";

const SEGMENT_MAX_BYTES = 16_777_216;
/** Maximum age of a segment. Without this limit, a recovery would replay requests that ended long ago. */
const SEGMENT_MAX_MS = 600_000;
/** Number of segments that must fit into the journal. One in-flight request keeps its whole segment from being deleted. */
const SEGMENTS_MIN = 8;

/** One file of a journal. It is deleted when none of its entries is needed anymore. */
export interface Segment {
  readonly path: string;
  /** Number of entries of requests whose final row is not written yet. */
  liveEntries: number;
  sizeBytes: number;
  /** Time in ms since 1970. */
  readonly createdAt: number;
  /** Number of spilled rows that are not in the database yet. */
  spilledRows: number;
  /** Whether some lines cannot be read. Such a segment is renamed instead of deleted. */
  isDamaged: boolean;
}

/** The error when the journal is full or cannot be written. No request may start then, because its cost could be lost. */
export class JournalFull extends Error {}

/**
 * An append-only file of the in-flight requests. A committed line has been written to the operating system, so it survives
 * a crash of the process. The database receives the records later, in batches.
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
   * @param directory created if it does not exist. @param instance the prefix of the names of this process's files.
   * @throws if the directory cannot be written to.
   */
  constructor(directory: string, instance: string, maxBytes: number) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.directory = directory;
    this.instance = instance;
    this.#maxBytes = maxBytes;
    this.#segmentMaxBytes = Math.min(SEGMENT_MAX_BYTES, maxBytes / SEGMENTS_MIN);
    const lock = lockFile(getLockPath(directory, instance));
    if (!lock) throw new Error(`the journal of ${instance} is locked by another process`);
    this.#lock = lock;
  }

  /**
   * Records that a request starts.
   * @param onCommitted called in this turn of the event loop when the line is written. If it receives an error, the request
   *   must not start.
   * @returns the segment, to be passed to `release`.
   * @throws JournalFull if the request must not start.
   */
  recordStart(startEntry: StartEntry, onCommitted: CommitCallback): Segment {
    if (this.#current && startEntry.started_at - this.#current.createdAt > SEGMENT_MAX_MS)
      this.#closeSegment();
    if (this.#sizeBytes > this.#maxBytes) throw new JournalFull("the journal has reached its maximum size");
    const segment = this.#current ?? this.#openSegment();
    segment.liveEntries++;
    this.#groupCommit.add(formatEntry([ENTRY.start, startEntry]), onCommitted);
    return segment;
  }

  /**
   * Records that the head of upstream's response has arrived.
   * @param onCommitted called in this turn of the event loop.
   * @returns the segment, to be passed to `release`; undefined if no segment could be opened.
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

  /** Stores rows that cannot be written to the database now. @throws JournalFull if they cannot be written here either. */
  spill(rows: readonly RequestRow[]): void {
    this.#groupCommit.flush();
    for (const row of rows) this.#append(formatEntry([ENTRY.row, row]), 1);
  }

  /** Stores a row that the database rejects in a separate file, so that the operator can inspect it. */
  quarantine(row: RequestRow): void {
    const line = `${JSON.stringify([ENTRY.row, row])}\n`;
    appendFileSync(getRefusedPath(this.directory, this.instance), line, { mode: 0o600 });
  }

  /** Releases one entry that is not needed anymore. @param segment the segment that contains the entry. */
  release(segment: Segment): void {
    segment.liveEntries--;
    // An idle process would otherwise keep entries of ended requests until it exits, and a recovery would replay them.
    if (segment === this.#current && segment.liveEntries === 0 && segment.spilledRows === 0)
      this.#closeSegment();
    else this.#deleteUnneeded(segment);
  }

  /** Returns the segments with spilled rows. Closes the current segment if it has any, so that no returned segment grows. */
  takeSpilled(): Segment[] {
    if (this.#current && this.#current.spilledRows > 0) this.#closeSegment();
    return [...this.#segments].filter(({ spilledRows }) => spilledRows > 0);
  }

  /** Marks that the rows of a segment are in the database. @param isDamaged whether some lines could not be read. */
  markReplayed(segment: Segment, isDamaged = false): void {
    segment.spilledRows = 0;
    segment.isDamaged = isDamaged;
    this.#deleteUnneeded(segment);
  }

  /**
   * Whether a request could start now. After a failed write, this method tries to write a separate file. The gateway
   * receives no requests while its readiness check fails, so no write to the journal would show that the disk has recovered.
   */
  isWritable(): boolean {
    if (this.#hasWriteFailed) this.#hasWriteFailed = !canWrite(getProbePath(this.directory, this.instance));
    return !this.#hasWriteFailed && this.#sizeBytes <= this.#maxBytes;
  }

  /** Size of all segments. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Size above which no request may start. */
  get maxBytes(): number {
    return this.#maxBytes;
  }

  /** Number of spilled rows that are not in the database yet. */
  get spilledRows(): number {
    let rows = 0;
    for (const { spilledRows } of this.#segments) rows += spilledRows;
    return rows;
  }

  /** Whether any segment has spilled rows that are not in the database yet. */
  get hasSpilled(): boolean {
    return this.spilledRows > 0;
  }

  /**
   * Closes the files. Entries that are still needed stay until another process recovers them.
   * @param isDone whether nothing else is left for that process. If not, the lock file stays.
   */
  close(isDone = true): void {
    this.#closeSegment();
    for (const segment of this.#segments) this.#deleteUnneeded(segment);
    this.#lock.release();
    if (isDone && this.#segments.size === 0) deleteLock(this.directory, this.instance);
  }

  /**
   * Writes complete lines.
   * @param spilledRows number of spilled rows in the lines. The journal keeps their segment until the database has the rows.
   */
  #append(lines: string, spilledRows = 0): void {
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
    // Must be set before the segment may be closed, because closing deletes a segment without needed entries.
    segment.spilledRows += spilledRows;
    if (segment.sizeBytes > this.#segmentMaxBytes) this.#closeSegment();
  }

  /**
   * Removes the partial output of a failed write. A failure here does no harm, because the next line is written to a new
   * segment.
   */
  #truncateToWritten(segment: Segment): void {
    try {
      ftruncateSync(this.#file, segment.sizeBytes);
    } catch {
      // Readers skip an incomplete line. A complete line belongs to a request that was rejected.
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
      spilledRows: 0,
      isDamaged: false,
    };
    this.#segments.add(this.#current);
    return this.#current;
  }

  #closeSegment(): void {
    // Queued lines belong to the segment that was current when they were recorded.
    this.#groupCommit.flush();
    const segment = this.#current;
    if (!segment) return;
    closeSync(this.#file);
    this.#current = undefined;
    this.#deleteUnneeded(segment);
  }

  #deleteUnneeded(segment: Segment): void {
    if (segment === this.#current || segment.liveEntries > 0 || segment.spilledRows > 0) return;
    if (!this.#segments.delete(segment)) return;
    this.#sizeBytes -= segment.sizeBytes;
    if (segment.isDamaged) renameSync(segment.path, getDamagedPath(segment.path));
    else unlinkSync(segment.path);
  }
}
