// The worker thread of `sqlite-reader.ts`. It has its own read-only connections.
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import type {
  OpenCommand,
  ReaderReply,
  ReaderBatch,
  ReaderCommand,
  ReaderError,
  ReaderWork,
} from "./sqlite-reader.ts";

/** Readers do not wait for writers. They wait only while SQLite recovers the WAL after a crash. */
const BUSY_TIMEOUT_MS = 1_000;

const { path } = workerData as ReaderWork;
/** Connections without a cursor. */
const idle: DatabaseSync[] = [];
const cursors = new Map<number, Cursor>();

interface Cursor {
  /**
   * One connection per cursor: statements that overlap on one connection share a snapshot, so the later statement would read
   * old data.
   */
  readonly database: DatabaseSync;
  readonly rows: Iterator<Record<string, unknown>>;
  readonly batchRows: number;
  readonly isCopied: boolean;
}

const COPY = "temp.copied_rows";

function openCursor({ cursor, sql, parameters, batchRows, isCopied }: OpenCommand): void {
  const database = idle.pop() ?? new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  const values = parameters as SQLInputValue[];
  try {
    // A copy in a temporary table ends the read transaction early. A long transaction would keep SQLite from restarting the WAL.
    if (isCopied) database.prepare(`create table ${COPY} as ${sql}`).run(...values);
    const rows = isCopied
      ? database.prepare(`select * from ${COPY} order by rowid`).iterate()
      : database.prepare(sql).iterate(...values);
    cursors.set(cursor, { database, rows, batchRows, isCopied });
  } catch (error) {
    // The connection may contain a partial copy of the rows, so it is not used again.
    database.close();
    throw error;
  }
}

/** Ends the statement, which releases its snapshot. */
function closeCursor(id: number): void {
  const cursor = cursors.get(id);
  if (!cursor) return;
  cursors.delete(id);
  cursor.rows.return?.();
  // A connection keeps the file of its temporary table, at full size, until it is closed.
  if (cursor.isCopied) cursor.database.close();
  else idle.push(cursor.database);
}

/** Reads up to `batchRows` rows. Closes the cursor if it has reached its end or fails. */
function readBatch(id: number): ReaderBatch {
  const cursor = cursors.get(id);
  if (!cursor) throw new Error("the cursor was lost with its thread");
  const batch: Record<string, unknown>[] = [];
  let isLast = true;
  try {
    while (batch.length < cursor.batchRows) {
      const { done, value } = cursor.rows.next();
      if (done) return { rows: batch, isLast };
      batch.push(value);
    }
    isLast = false;
  } finally {
    if (isLast) closeCursor(id);
  }
  return { rows: batch, isLast };
}

function post(message: ReaderReply): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker is not a window
  parentPort?.postMessage(message);
}

function stop(): void {
  for (const id of cursors.keys()) closeCursor(id);
  for (const database of idle) database.close();
  parentPort?.close();
}

parentPort?.on("message", (command: ReaderCommand) => {
  if (command.type === "stop") {
    stop();
  } else if (command.type === "close") {
    closeCursor(command.cursor);
  } else {
    try {
      if (command.type === "open") openCursor(command);
      post(readBatch(command.cursor));
    } catch (error) {
      const { message, code, errcode } = error as ReaderError;
      post({ error: { message, code, errcode } });
    }
  }
});
