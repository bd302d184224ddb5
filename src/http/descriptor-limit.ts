import { readFileSync } from "node:fs";

/** For databases, journal, log, threads and listeners. */
const OTHER_FILES = 64;
/** Its buffers and parser let an idle connection cost some 20 KiB: this many fit into a quarter of 1 GiB. */
const CONNECTIONS_MAX = 12_288;

/**
 * How many files this process may open, which Node raises to the hard limit when it starts.
 * @returns undefined where the system does not say so: outside Linux, or without a limit.
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

/** How many client connections fit below a limit of open files if each of them needs one more for its upstream request. */
export function computeMaxConnections(openFiles: number): number {
  return Math.max(1, Math.floor((openFiles - OTHER_FILES) / 2));
}

/** The default of `MAX_CONNECTIONS` under a limit of open files. @param openFiles undefined: not known. */
export function getDefaultMaxConnections(openFiles: number | undefined): number {
  return openFiles === undefined
    ? CONNECTIONS_MAX
    : Math.min(CONNECTIONS_MAX, computeMaxConnections(openFiles));
}
