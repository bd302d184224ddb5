import { renameSync, statSync, unlinkSync } from "node:fs";
import { lockFile } from "../../store/file-lock.ts";
import type { RequestRow } from "../record.ts";
import { ENTRY, type HeadEntry, type JournalEntry, readEntries, type StartEntry } from "./format.ts";
import { getDamagedPath, deleteLock, listJournals, getLockPath } from "./files.ts";
import { createInterruptedRow, createOpenRow } from "../request-row.ts";

const BATCH_MAX = 500;
/** A process that starts makes its lock, takes it, and only then has a journal. */
const STARTING_MS = 60_000;

/** What the recovery of journals has found. */
export interface RecoveryResult {
  readonly instances: number;
  /** How many rows were new to the database. */
  readonly rows: number;
  /** Lines that could not be read. Their file is kept, under a name that ends in `.damaged`. */
  readonly damagedLines: number;
}

/** Writes rows, all or none, no two of the same id. @returns how many were new to the database. */
type WriteReplayed = (rows: readonly RequestRow[]) => Promise<number>;

/**
 * Replays the journals that dead processes have left in a directory, and deletes them. The lock of a journal says whether its
 * process lives, and keeps others from recovering it at the same time.
 * @param own the instance whose journal is left alone.
 * @throws the first failure. A journal that could not be recovered stays for the next time; the others are gone.
 */
export async function recoverJournals(
  directory: string,
  own: string,
  write: WriteReplayed,
): Promise<RecoveryResult> {
  const total = { instances: 0, rows: 0, damagedLines: 0 };
  const failures: unknown[] = [];
  for (const [instance, paths] of listJournals(directory)) {
    if (instance === own || (paths.length === 0 && mayBeStarting(getLockPath(directory, instance)))) continue;
    try {
      const recovered = await recoverUnlessAlive(directory, instance, write);
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
  write: WriteReplayed,
): Promise<RecoveredJournal | undefined> {
  const lock = lockFile(getLockPath(directory, instance));
  if (!lock) return undefined;
  try {
    // Not before it is locked: another process may have recovered it since.
    const paths = listJournals(directory).get(instance) ?? [];
    const recovered = paths.length > 0 ? await recoverJournal(instance, paths, write) : undefined;
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

async function recoverJournal(
  instance: string,
  paths: readonly string[],
  write: WriteReplayed,
): Promise<RecoveredJournal> {
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
  for (const path of paths) {
    if (damagedPaths.has(path)) renameSync(path, getDamagedPath(path));
    else unlinkSync(path);
  }
  return { rows, damagedLines };
}

/** Makes rows of the entries of a journal. Of a gigabyte of whole rows it keeps no more than a batch and their ids. */
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

  /** Writes the rows of requests that have only started. @returns how many of all rows were new to the database. */
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
