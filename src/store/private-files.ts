import { chmodSync, closeSync, openSync, statSync } from "node:fs";

const OTHERS = 0o077;
const OWNER_ONLY = 0o600;

/**
 * Creates an empty file with mode 0600 if it does not exist, because SQLite would create it with the mode that the umask
 * allows. An existing file is not opened: closing it would release every lock that this process holds on it (POSIX). Errors
 * are ignored, because SQLite reports them when it opens the file.
 */
export function createPrivateFile(path: string): void {
  try {
    closeSync(openSync(path, "ax", OWNER_ONLY));
  } catch {
    // The file exists, or SQLite will report the error.
  }
}

/**
 * Removes the permissions of group and others from files.
 * @param paths files that may not exist.
 * @returns files that other users can still access: they belong to another user, or the file system does not support modes.
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
