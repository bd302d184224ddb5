import { readFileSync } from "node:fs";

/** File descriptors reserved for databases, journal, log, threads and listeners. */
const OTHER_FILES = 64;
/** An idle connection takes some 20 KiB for buffers and parser: this many connections take a quarter of 1 GiB. */
const CONNECTIONS_MAX = 12_288;

/**
 * Returns the number of files that this process may open. Node raises the soft limit to the hard limit when it starts.
 * @returns undefined outside Linux, or if there is no limit.
 */
export function readOpenFilesLimit(): number | undefined {
  let text: string;
  try {
    text = readFileSync("/proc/self/limits", "latin1");
  } catch {
    return undefined;
  }
  const soft = /^Max open files\s+(\d+)/m.exec(text)?.[1];
  return soft === undefined ? undefined : Number(soft);
}

/** Returns how many client connections a limit of open files allows, if each needs another file for its upstream request. */
export function computeMaxConnections(openFiles: number): number {
  return Math.max(1, Math.floor((openFiles - OTHER_FILES) / 2));
}

/** Returns the default of `MAX_CONNECTIONS`. @param openFiles the limit of open files; undefined if unknown. */
export function getDefaultMaxConnections(openFiles: number | undefined): number {
  return openFiles === undefined
    ? CONNECTIONS_MAX
    : Math.min(CONNECTIONS_MAX, computeMaxConnections(openFiles));
}
