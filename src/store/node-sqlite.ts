import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import type { SqliteDatabase, SqliteStatement } from "kysely";
import { createPrivateFile } from "./private-files.ts";

/**
 * Maximum number of cached prepared statements. Kysely's SQL texts vary with the number of values, so there can be any number
 * of different texts.
 */
const KEPT_STATEMENTS = 200;
/** Larger than SQLite's default. Rows are appended and read in order, so with larger pages, fewer are written twice. */
const PAGE_BYTES = 16_384;
/** Size of the WAL (64 MiB) at which SQLite itself runs a checkpoint. Normally, `checkpoints.ts` does so long before. */
const CHECKPOINT_PAGES = 4_096;

/**
 * Opens a SQLite file in WAL mode, in which readers never wait for writers. A commit survives a crash of the process
 * immediately. It survives a crash of the machine after the next checkpoint.
 * @param busyTimeoutMs how long a statement waits for a lock that another process holds. The thread is blocked meanwhile.
 * @throws if the file cannot be opened or is not a database.
 */
export function openSqlite(path: string, busyTimeoutMs: number): DatabaseSync {
  createPrivateFile(path);
  const database = new DatabaseSync(path, { timeout: busyTimeoutMs });
  try {
    // Temporary files are needed for large sorts, such as those of reports and new indexes. In a container, this directory
    // is often the only writable one.
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

/** Adapts `node:sqlite` to the interface that Kysely's SQLite dialect expects. */
export function asKyselyDatabase(database: DatabaseSync): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>();
  return {
    close: () => database.close(),
    prepare(text) {
      // A deferred transaction that starts with a read fails if it writes while another process holds the write lock.
      const sql = text === "begin" ? "begin immediate" : text;
      const found = statements.get(sql);
      if (found) return found;
      const statement = sql === "rollback" ? createRollback(database) : adapt(database.prepare(sql));
      if (statements.size < KEPT_STATEMENTS) statements.set(sql, statement);
      return statement;
    },
  };
}

/**
 * Creates a rollback that does nothing outside a transaction. SQLite rolls back automatically after some errors, such as a
 * full disk. A second rollback would fail, and Kysely would throw that error instead of the original one.
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
