import { chmodSync, closeSync, openSync, statSync } from "node:fs";

const OTHERS = 0o077;
const OWNER_ONLY = 0o600;

/**
 * Makes an empty file that only its owner can read, where there is none: SQLite would make it as the umask says. One that
 * is there is not opened: closing it would release every lock that this process has on it (POSIX). SQLite meets, and
 * explains, whatever else prevents it.
 */
export function createPrivateFile(path: string): void {
  try {
    closeSync(openSync(path, "ax", OWNER_ONLY));
  } catch {
    // As above.
  }
}

/**
 * Takes from others what they may do with files.
 * @param paths of files that need not be there.
 * @returns those that others may still use: another user's, or on a file system that has no modes.
 */
export function makePrivate(paths: readonly string[]): string[] {
  return paths.filter((path) => {
    if (!isOpenToOthers(path)) return false;
    try {
      chmodSync(path, OWNER_ONLY);
    } catch {
      return true;
    }
    return isOpenToOthers(path);
  });
}

function isOpenToOthers(path: string): boolean {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0;
  return (mode & OTHERS) !== 0;
}
