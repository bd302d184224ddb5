// The thread of `sqlite-reader.ts`, with a connection of its own.
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { PAGE_ROWS, type ReadRow } from "./paged-reader.ts";
import type { ReaderAnswer, ReaderAsk, ReaderError, ReaderWork } from "./sqlite-reader.ts";

const { path, busyTimeoutMs } = workerData as ReaderWork;
const database = new DatabaseSync(path, { readOnly: true, timeout: busyTimeoutMs });

/** Queries that have more pages to give. */
const open = new Map<number, { readonly page: StatementSync; after: number }>();

const tableOf = (cursor: number): string => `temp.pages_${cursor}`;

/**
 * Puts what a query gives into a temporary table, which SQLite keeps in a file when it is large: the memory stays small, and
 * the read transaction ends here. A longer one would keep SQLite's log from beginning anew.
 */
function run(cursor: number, sql: string, parameters: readonly unknown[]): void {
  database.prepare(`create table ${tableOf(cursor)} as ${sql}`).run(...(parameters as SQLInputValue[]));
  // The rows of a new table are numbered from 1.
  const page = database.prepare(
    `select * from ${tableOf(cursor)} where rowid > ? order by rowid limit ${PAGE_ROWS}`,
  );
  open.set(cursor, { page, after: 0 });
}

function nextPage(cursor: number): { rows: ReadRow[]; isLast: boolean } {
  const known = open.get(cursor);
  if (!known) throw new Error("the query has ended");
  const rows = known.page.all(known.after);
  known.after += rows.length;
  const isLast = rows.length < PAGE_ROWS;
  if (isLast) forget(cursor);
  return { rows, isLast };
}

function forget(cursor: number): void {
  if (open.delete(cursor)) database.exec(`drop table ${tableOf(cursor)}`);
}

function errorOf(error: unknown): ReaderError {
  const { message, code, errcode } = error as ReaderError;
  return { message, code, errcode };
}

function answer(ask: ReaderAsk): ReaderAnswer {
  const { cursor } = ask;
  try {
    if ("sql" in ask) run(cursor, ask.sql, ask.parameters);
    return { cursor, ...nextPage(cursor) };
  } catch (error) {
    return { cursor, error: errorOf(error) };
  }
}

parentPort?.on("message", (ask: ReaderAsk) => {
  if ("isAbandoned" in ask) forget(ask.cursor);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
  else parentPort?.postMessage(answer(ask));
});
