import { renameSync, statSync, unlinkSync } from "node:fs";
import { lockFile } from "../../store/file-lock.ts";
import type { RequestRow } from "../record.ts";
import { readEntries } from "./reader.ts";
import type { JournalEntry, HeadEntry, StartEntry } from "./format.ts";
import { getDamagedPath, deleteLock, listJournals, getLockPath } from "./files.ts";
import { createInterruptedRow, createOpenRow } from "../request-row.ts";

const BATCH_MAX = 500;
/** A process that starts makes its lock, takes it, and only then has a journal. */
const STARTING_MS = 60_000;

/** What a recovery found. */
export interface RecoveryResult {
  readonly instances: number;
  /** What was news to the database. */
  readonly rows: number;
  /** Lines that could not be read. Their file is kept, under a name that ends in `.damaged`. */
  readonly damagedLines: number;
}

/** Writes rows, all or none, no two of the same id. @returns how many were news. */
type Write = (rows: readonly RequestRow[]) => Promise<number>;

/**
 * Brings to the database what processes that died have left in a directory of journals, and deletes it there. The lock
 * of a journal says whether its process lives, and that nobody else recovers it.
 * @param own whose journal is left alone.
 * @throws what kept a journal from being recovered: it stays for another time, the others are gone.
 */
export async function recoverJournals(directory: string, own: string, write: Write): Promise<RecoveryResult> {
  const sum = { instances: 0, rows: 0, damagedLines: 0 };
  const failures: unknown[] = [];
  for (const [instance, paths] of listJournals(directory)) {
    if (instance === own || (paths.length === 0 && mayBeStarting(getLockPath(directory, instance)))) continue;
    try {
      const found = await recoverUnlessAlive(directory, instance, write);
      if (!found) continue;
      sum.instances++;
      sum.rows += found.rows;
      sum.damagedLines += found.damagedLines;
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return sum;
}

async function recoverUnlessAlive(
  directory: string,
  instance: string,
  write: Write,
): Promise<Found | undefined> {
  const lock = lockFile(getLockPath(directory, instance));
  if (!lock) return undefined;
  try {
    // Not before it is locked: another process may have recovered it since.
    const paths = listJournals(directory).get(instance) ?? [];
    const found = paths.length > 0 ? await recoverJournal(instance, paths, write) : undefined;
    deleteLock(directory, instance);
    return found;
  } finally {
    lock.release();
  }
}

function mayBeStarting(lock: string): boolean {
  const { mtimeMs = 0 } = statSync(lock, { throwIfNoEntry: false }) ?? {};
  return Date.now() - mtimeMs < STARTING_MS;
}

type Found = Omit<RecoveryResult, "instances">;

async function recoverJournal(instance: string, paths: readonly string[], write: Write): Promise<Found> {
  const fold = new JournalReplay(write);
  const damaged = new Set<string>();
  let damagedLines = 0;
  for (const path of paths) {
    const onDamaged = (): void => {
      damagedLines++;
      damaged.add(path);
    };
    for await (const entry of readEntries(path, onDamaged)) await fold.add(entry);
  }
  const lastWrittenAt = Math.max(...paths.map((path) => Math.round(statSync(path).mtimeMs)));
  const rows = await fold.end(instance, lastWrittenAt);
  for (const path of paths) {
    if (damaged.has(path)) renameSync(path, getDamagedPath(path));
    else unlinkSync(path);
  }
  return { rows, damagedLines };
}

/** Makes rows of the entries of a journal. Of a gigabyte of whole rows it keeps no more than a batch and their ids. */
class JournalReplay {
  readonly #write: Write;
  readonly #openings = new Map<string, StartEntry>();
  readonly #heads = new Map<string, HeadEntry>();
  readonly #done = new Set<string>();
  #batch: RequestRow[] = [];
  #news = 0;

  constructor(write: Write) {
    this.#write = write;
  }

  async add(entry: JournalEntry): Promise<void> {
    if (entry[0] === "open") this.#openings.set(entry[1].id, entry[1]);
    else if (entry[0] === "row") await this.#give(entry[1]);
    else {
      const [, id, head, startEntry] = entry;
      this.#heads.set(id, head);
      if (startEntry) this.#openings.set(id, startEntry);
    }
  }

  /** Brings what has only begun. @returns how many rows were news. */
  async end(instance: string, endedAt: number): Promise<number> {
    for (const [id, startEntry] of this.#openings)
      await this.#give(
        createInterruptedRow(createOpenRow(startEntry, instance), this.#heads.get(id), endedAt),
      );
    await this.#flush();
    return this.#news;
  }

  async #give(row: RequestRow): Promise<void> {
    this.#openings.delete(row.id);
    this.#heads.delete(row.id);
    if (this.#done.has(row.id)) return;
    this.#done.add(row.id);
    this.#batch.push(row);
    if (this.#batch.length >= BATCH_MAX) await this.#flush();
  }

  async #flush(): Promise<void> {
    if (this.#batch.length === 0) return;
    this.#news += await this.#write(this.#batch);
    this.#batch = [];
  }
}
