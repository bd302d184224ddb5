import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import type { SqliteDatabase, SqliteStatement } from "kysely";
import { createPrivateFile } from "./private-files.ts";

/** Statements that are kept compiled; the rest is compiled anew. Kysely's texts differ with the number of values. */
const KEPT_STATEMENTS = 200;
/** Larger than usual: rows are added at the end and read in order, so fewer pages are written twice. */
const PAGE_BYTES = 16_384;
/** 64 MiB of log: a gateway's has long been brought to the file by then; see `checkpoints.ts`. */
const CHECKPOINT_PAGES = 4_096;

/**
 * Opens a SQLite file for this process and others: WAL, so that readers never wait. A commit outlives the process that
 * made it at once, and the machine from the next checkpoint on.
 * @param busyTimeoutMs how long a statement waits for another process that writes. It blocks this one meanwhile.
 * @throws when the file cannot be opened or is no database.
 */
export function openSqlite(path: string, busyTimeoutMs: number): DatabaseSync {
  createPrivateFile(path);
  const database = new DatabaseSync(path, { timeout: busyTimeoutMs });
  try {
    // For large sorts, such as reports and new indexes need. Often the only directory of a container that takes files.
    database.exec(`pragma temp_store_directory = '${dirname(path).replaceAll("'", "''")}'`);
    database.exec(
      `pragma page_size = ${PAGE_BYTES}; pragma journal_mode = wal; pragma synchronous = normal; pragma foreign_keys = on; pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}`,
    );
  } catch (error) {
    database.close();
    throw error;
  }
  return database;
}

/** Node's own SQLite behind the interface that Kysely's dialect is written for. */
export function asKyselyDatabase(database: DatabaseSync): SqliteDatabase {
  const kept = new Map<string, SqliteStatement>();
  return {
    close: () => database.close(),
    prepare(text) {
      // A transaction that begins by reading could not be made one that writes while another process writes.
      const sql = text === "begin" ? "begin immediate" : text;
      const found = kept.get(sql);
      if (found) return found;
      const statement = sql === "rollback" ? createRollback(database) : adapt(database.prepare(sql));
      if (kept.size < KEPT_STATEMENTS) kept.set(sql, statement);
      return statement;
    },
  };
}

/**
 * SQLite rolls back by itself after some errors, such as a full disk. Another rollback then fails, and Kysely would throw
 * that failure in place of the error.
 */
function createRollback(database: DatabaseSync): SqliteStatement {
  const statement = adapt(database.prepare("rollback"));
  return {
    ...statement,
    run: (parameters) =>
      database.isTransaction ? statement.run(parameters) : { changes: 0, lastInsertRowid: 0 },
  };
}

function adapt(statement: StatementSync): SqliteStatement {
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...(parameters as SQLInputValue[])),
    run: (parameters) => statement.run(...(parameters as SQLInputValue[])),
    iterate: (parameters) => statement.iterate(...(parameters as SQLInputValue[])),
  };
}
