import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** `instance.number.jsonl` is a segment, `instance.lock` says by its lock that the process of this journal lives. */
const NAME = /^(.+?)(?:\.(\d+)\.jsonl|\.lock)$/;

/** The file that says, by its lock, that the process of this journal lives. */
export const getLockPath = (directory: string, instance: string): string =>
  join(directory, `${instance}.lock`);

/** One file of a journal. @param number from 1. */
export const getSegmentPath = (directory: string, instance: string, number: number): string =>
  join(directory, `${instance}.${number}.jsonl`);

/** Where a segment with lines that cannot be read stays, for a person to look at. */
export const getDamagedPath = (segment: string): string => `${segment}.damaged`;

/** A file that is written only to see whether it can be. */
export const getProbePath = (directory: string, instance: string): string =>
  join(directory, `${instance}.probe`);

/** As much as file systems give out at once: on a full disk a shorter file can still find room. */
const PROBE_BYTES = 4_096;

/** Whether a file can be written. @param path is deleted again. */
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

/** Deletes the lock of a journal that is no more, with what SQLite may have put beside it. */
export function deleteLock(directory: string, instance: string): void {
  for (const end of ["", "-journal"]) rmSync(getLockPath(directory, instance) + end, { force: true });
}

/** Instances that have a journal or a lock in a directory, and the segments of each in the order of their numbers. */
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
