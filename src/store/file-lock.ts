import { DatabaseSync } from "node:sqlite";
import { createPrivateFile } from "./private-files.ts";

/** A lock that the operating system releases when its process ends, even if it crashes. */
export interface FileLock {
  release(): void;
}

/** References to all connections with a lock. Without a reference, garbage collection would release the lock. */
const lockedConnections = new Set<DatabaseSync>();

/**
 * Locks a file, unless another process or other code in this process holds the lock. Uses a SQLite transaction, because
 * Node has no file locks.
 * @param path a file that serves only as a lock; created if it does not exist.
 * @returns undefined if the lock is held.
 * @throws if the file cannot be created or is not a lock file.
 */
export function lockFile(path: string): FileLock | undefined {
  createPrivateFile(path);
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec("begin exclusive");
  } catch (error) {
    database.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
  lockedConnections.add(database);
  return {
    release: () => {
      lockedConnections.delete(database);
      database.close();
    },
  };
}

/**
 * Whether a process holds the lock of a file. The check itself holds a shared lock for less than a millisecond.
 * @param path a lock file that exists; it is not changed.
 * @throws if the file cannot be read or is not a lock file.
 */
export function isFileLocked(path: string): boolean {
  const database = new DatabaseSync(path, { timeout: 0, readOnly: true });
  try {
    database.prepare("select 1 from sqlite_schema").get();
    return false;
  } catch (error) {
    if (isBusy(error)) return true;
    throw error;
  } finally {
    database.close();
  }
}

/** Primary result code of SQLite: the lowest byte of an extended result code. */
const SQLITE_BUSY = 5;

function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && (Number(error.errcode) & 0xff) === SQLITE_BUSY;
}
