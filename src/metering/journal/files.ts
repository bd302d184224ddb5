import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Matches segments, `instance.number.jsonl`, and lock files, `instance.lock`. */
const NAME = /^(.+?)(?:\.(\d+)\.jsonl|\.lock)$/;

/** Returns the path of the lock file of a journal. The file is locked as long as the journal's process is alive. */
export const getLockPath = (directory: string, instance: string): string =>
  join(directory, `${instance}.lock`);

/** Returns the path of a segment. @param number counts from 1. */
export const getSegmentPath = (directory: string, instance: string, number: number): string =>
  join(directory, `${instance}.${number}.jsonl`);

/** Returns the path to which a segment with unreadable lines is renamed, so that the operator can inspect it. */
export const getDamagedPath = (segment: string): string => `${segment}.damaged`;

/** Returns the path of a file that is written only to test whether writing works. */
export const getProbePath = (directory: string, instance: string): string =>
  join(directory, `${instance}.probe`);

/** Size of the test file: the usual block size of file systems. A shorter file may fit even on a full disk. */
const PROBE_BYTES = 4_096;

/** Whether a file can be written. @param path the test file; it is deleted afterwards. */
export function canWrite(path: string): boolean {
  try {
    writeFileSync(path, Buffer.alloc(PROBE_BYTES), { mode: 0o600 });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(path, { force: true });
  }
}

/** Returns the path of the file with the rows of an instance that the database rejected. */
export const getRefusedPath = (directory: string, instance: string): string =>
  join(directory, `${instance}.refused`);

/** Lists the names of the files that are kept for the operator: damaged segments, and rows that the database rejected. */
export function listQuarantined(directory: string): string[] {
  return readdirSync(directory).filter((name) => /\.(?:damaged|refused)$/.test(name));
}

/** Deletes the lock file of a deleted journal, and the file that SQLite may have created beside it. */
export function deleteLock(directory: string, instance: string): void {
  for (const end of ["", "-journal"]) rmSync(getLockPath(directory, instance) + end, { force: true });
}

/**
 * Lists the instances with a journal or a lock file in a directory.
 * @returns the segments of each, in the order of their numbers.
 */
export function listJournals(directory: string): Map<string, string[]> {
  const numbers = new Map<string, number[]>();
  for (const name of readdirSync(directory)) {
    const [, instance, number] = NAME.exec(name) ?? [];
    if (instance === undefined) continue;
    const known = numbers.get(instance) ?? [];
    if (number !== undefined) known.push(Number(number));
    numbers.set(instance, known);
  }
  return new Map(
    [...numbers].map(([instance, known]) => [
      instance,
      known.toSorted((a, b) => a - b).map((number) => getSegmentPath(directory, instance, number)),
    ]),
  );
}
