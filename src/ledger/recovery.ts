import { readdirSync, renameSync, rmSync, statSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { lockFile } from "../store/file-lock.ts";
import type { RequestRow } from "../store/request-row.ts";
import { entriesOf } from "./journal-reader.ts";
import { type Head, lockPath, type Opening } from "./journal.ts";
import { interruptedRow, openRow } from "./request-record.ts";

const BATCH_MAX = 500;
const SEGMENT = /^(.+)\.(\d+)\.jsonl$/;

/** What a recovery found. */
export interface Recovered {
  readonly instances: number;
  readonly rows: number;
  /** Lines that could not be read. Their file is kept, under a name that ends in `.damaged`. */
  readonly damagedLines: number;
}

/**
 * Brings to the database what processes that died have left in a directory of journals, and deletes it there. The lock
 * of a journal says whether its process lives, and that nobody else recovers it.
 * @param write writes rows, all or none; when it throws, the journal stays for another time.
 */
export async function recoverJournals(
  directory: string,
  own: string,
  write: (rows: readonly RequestRow[]) => Promise<void>,
): Promise<Recovered> {
  const sum = { instances: 0, rows: 0, damagedLines: 0 };
  for (const [instance, paths] of journalsIn(directory)) {
    const lock = instance === own ? undefined : lockFile(lockPath(directory, instance));
    if (!lock) continue;
    try {
      const found = await foldJournal(instance, paths);
      for (let from = 0; from < found.rows.length; from += BATCH_MAX) {
        await write(found.rows.slice(from, from + BATCH_MAX));
      }
      sum.instances++;
      sum.rows += found.rows.length;
      sum.damagedLines += found.damagedLines;
      for (const path of paths) {
        if (found.damaged.has(path)) renameSync(path, `${path}.damaged`);
        else unlinkSync(path);
      }
      rmSync(lockPath(directory, instance), { force: true });
    } finally {
      lock.release();
    }
  }
  return sum;
}

function journalsIn(directory: string): Map<string, string[]> {
  const journals = new Map<string, { path: string; number: number }[]>();
  for (const name of readdirSync(directory)) {
    const [, instance = "", number] = SEGMENT.exec(name) ?? [];
    if (number === undefined) continue;
    const segments = journals.get(instance) ?? [];
    segments.push({ path: join(directory, name), number: Number(number) });
    journals.set(instance, segments);
  }
  return new Map(
    [...journals].map(([instance, segments]) => [
      instance,
      segments.toSorted((a, b) => a.number - b.number).map(({ path }) => path),
    ]),
  );
}

async function foldJournal(
  instance: string,
  paths: readonly string[],
): Promise<{ rows: RequestRow[]; damagedLines: number; damaged: ReadonlySet<string> }> {
  const openings = new Map<string, Opening>();
  const heads = new Map<string, Head>();
  const rows = new Map<string, RequestRow>();
  const damaged = new Set<string>();
  let damagedLines = 0;
  let lastWrittenAt = 0;
  for (const path of paths) {
    lastWrittenAt = Math.max(lastWrittenAt, Math.round(statSync(path).mtimeMs));
    const onDamaged = (): void => {
      damagedLines++;
      damaged.add(path);
    };
    for await (const entry of entriesOf(path, onDamaged)) {
      if (entry[0] === "open") openings.set(entry[1].id, entry[1]);
      else if (entry[0] === "head") heads.set(entry[1], entry[2]);
      else rows.set(entry[1].id, entry[1]);
    }
  }
  for (const [id, opening] of openings) {
    if (!rows.has(id)) rows.set(id, interruptedRow(openRow(opening, instance), heads.get(id), lastWrittenAt));
  }
  return { rows: [...rows.values()], damagedLines, damaged };
}
