import { renameSync, statSync, unlinkSync } from "node:fs";
import { lockFile } from "../../store/file-lock.ts";
import type { RequestRow } from "../record.ts";
import { ENTRY, type HeadEntry, type JournalEntry, readEntries, type StartEntry } from "./format.ts";
import { getDamagedPath, deleteLock, listJournals, getLockPath } from "./files.ts";
import { createInterruptedRow, createOpenRow } from "../request-row.ts";

const BATCH_MAX = 500;
/**
 * Age up to which a lock file without a journal may belong to a starting process, which locks the file before it creates its
 * journal.
 */
const STARTING_MS = 60_000;

/** The result of recovering journals. */
export interface RecoveryResult {
  readonly instances: number;
  /** Number of rows that were new to the database. */
  readonly rows: number;
  /** Number of lines that could not be read. A file with such lines is kept with the suffix `.damaged`. */
  readonly damagedLines: number;
}

/** Writes rows with distinct ids, all or none. @returns the number of rows that were new to the database. */
type WriteReplayed = (rows: readonly RequestRow[]) => Promise<number>;

/** The database that journals are replayed to. */
interface ReplayTarget {
  readonly write: WriteReplayed;
  /** Called before the journal of a process is deleted, if none of its lines is damaged: all its requests are known now. */
  readonly onComplete: (instance: string) => Promise<void>;
}

/**
 * Replays the journals of dead processes in a directory, and deletes them. The lock of a journal shows whether its process
 * is alive, and prevents two processes from recovering the journal at the same time.
 * @param own the instance of this process, whose journal is skipped.
 * @param target receives the rows, and the instances whose requests are all known.
 * @throws the first error, after all journals have been tried. A journal whose recovery failed is kept for the next attempt.
 */
export async function recoverJournals(
  directory: string,
  own: string,
  target: ReplayTarget,
): Promise<RecoveryResult> {
  const total = { instances: 0, rows: 0, damagedLines: 0 };
  const failures: unknown[] = [];
  for (const [instance, paths] of listJournals(directory)) {
    if (instance === own || (paths.length === 0 && mayBeStarting(getLockPath(directory, instance)))) continue;
    try {
      const recovered = await recoverUnlessAlive(directory, instance, target);
      if (!recovered) continue;
      total.instances++;
      total.rows += recovered.rows;
      total.damagedLines += recovered.damagedLines;
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return total;
}

type RecoveredJournal = Omit<RecoveryResult, "instances">;

async function recoverUnlessAlive(
  directory: string,
  instance: string,
  { write, onComplete }: ReplayTarget,
): Promise<RecoveredJournal | undefined> {
  const lock = lockFile(getLockPath(directory, instance));
  if (!lock) return undefined;
  try {
    // Lists the segments again under the lock: another process may have recovered the journal since the first listing.
    const paths = listJournals(directory).get(instance) ?? [];
    const replayed = paths.length > 0 ? await replayJournal(instance, paths, write) : undefined;
    if (!replayed || replayed.damagedPaths.size === 0) await onComplete(instance);
    const recovered = replayed && deleteReplayed(paths, replayed);
    deleteLock(directory, instance);
    return recovered;
  } finally {
    lock.release();
  }
}

function mayBeStarting(lockPath: string): boolean {
  const { mtimeMs = 0 } = statSync(lockPath, { throwIfNoEntry: false }) ?? {};
  return Date.now() - mtimeMs < STARTING_MS;
}

interface ReplayedJournal {
  readonly rows: number;
  readonly damagedLines: number;
  readonly damagedPaths: ReadonlySet<string>;
}

async function replayJournal(
  instance: string,
  paths: readonly string[],
  write: WriteReplayed,
): Promise<ReplayedJournal> {
  const replay = new JournalReplay(write);
  const damagedPaths = new Set<string>();
  let damagedLines = 0;
  for (const path of paths) {
    const onDamaged = (): void => {
      damagedLines++;
      damagedPaths.add(path);
    };
    for await (const entry of readEntries(path, onDamaged)) await replay.add(entry);
  }
  const lastWrittenAt = Math.max(...paths.map((path) => Math.round(statSync(path).mtimeMs)));
  const rows = await replay.end(instance, lastWrittenAt);
  return { rows, damagedLines, damagedPaths };
}

function deleteReplayed(
  paths: readonly string[],
  { rows, damagedLines, damagedPaths }: ReplayedJournal,
): RecoveredJournal {
  for (const path of paths) {
    if (damagedPaths.has(path)) renameSync(path, getDamagedPath(path));
    else unlinkSync(path);
  }
  return { rows, damagedLines };
}

/**
 * Converts the entries of a journal to rows and writes them. Keeps all ids, but only one batch of spilled rows, in memory.
 */
class JournalReplay {
  readonly #write: WriteReplayed;
  readonly #starts = new Map<string, StartEntry>();
  readonly #heads = new Map<string, HeadEntry>();
  /** Ids of the rows that have been written or are in the batch. */
  readonly #replayedIds = new Set<string>();
  #batch: RequestRow[] = [];
  #newRows = 0;

  constructor(write: WriteReplayed) {
    this.#write = write;
  }

  async add(entry: JournalEntry): Promise<void> {
    if (entry[0] === ENTRY.row) return this.#addRow(entry[1]);
    const [, startEntry, head] = entry;
    this.#starts.set(startEntry.id, startEntry);
    if (head) this.#heads.set(startEntry.id, head);
  }

  /**
   * Writes the rows of requests without an end in the journal.
   * @returns the number of all rows that were new to the database.
   */
  async end(instance: string, endedAt: number): Promise<number> {
    for (const [id, startEntry] of this.#starts)
      await this.#addRow(
        createInterruptedRow(createOpenRow(startEntry, instance), this.#heads.get(id), endedAt),
      );
    await this.#flush();
    return this.#newRows;
  }

  async #addRow(row: RequestRow): Promise<void> {
    this.#starts.delete(row.id);
    this.#heads.delete(row.id);
    if (this.#replayedIds.has(row.id)) return;
    this.#replayedIds.add(row.id);
    this.#batch.push(row);
    if (this.#batch.length >= BATCH_MAX) await this.#flush();
  }

  async #flush(): Promise<void> {
    if (this.#batch.length === 0) return;
    this.#newRows += await this.#write(this.#batch);
    this.#batch = [];
  }
}
