import { DatabaseSync } from "node:sqlite";
import { createPrivateFile } from "./private-files.ts";

/** A lock that the system gives back when its process ends, however it ends. */
export interface FileLock {
  release(): void;
}

/** A connection that the garbage collector finalizes gives its lock back, so those that hold a lock are kept here. */
const held = new Set<DatabaseSync>();

/**
 * Takes the lock of this name, unless another process (or another holder in this one) has it. SQLite takes it, because
 * Node has no file locks of its own.
 * @param path a file that is nothing but a lock; made when it is not there.
 * @returns undefined when it is taken.
 * @throws when the file cannot be made or is something else.
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
  held.add(database);
  return {
    release: () => {
      held.delete(database);
      database.close();
    },
  };
}

/** The rest of its bits say more exactly why. */
const SQLITE_BUSY = 5;

function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && (Number(error.errcode) & 0xff) === SQLITE_BUSY;
}
