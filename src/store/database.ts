import { mkdirSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { Kysely, PostgresDialect, sql, SqliteAdapter, SqliteDialect } from "kysely";
import { Pool, types } from "pg";
import { migrate } from "./migrations.ts";
import { asKyselyDatabase, openSqlite } from "./node-sqlite.ts";
import { PostgresCursorDialect } from "./postgres-cursors.ts";
import { makePrivate } from "./private-files.ts";
import { SqliteReaderDialect } from "./sqlite-reader-dialect.ts";

/** Returns the path of the SQLite file in a data directory. */
export const getSqlitePath = (dataDir: string): string => join(dataDir, "sluice.db");
const BUSY_TIMEOUT_MS = 1_000;
const POOL_MAX = 10;
/**
 * Maximum connections for reports. Reports have a pool of their own, because a report with a slow reader holds its
 * connection for a long time.
 */
const REPORTS_MAX = 3;
/** Connections of one process: those of both pools, and the one that listens for changes of keys. */
export const PROCESS_CONNECTIONS = POOL_MAX + REPORTS_MAX + 1;
const CONNECT_TIMEOUT_MS = 3_000;
const STATEMENT_TIMEOUT_MS = 15_000;
/**
 * A connection without data for this long is dead, even if it was never closed. This time is longer than the statement
 * timeout.
 */
const SILENCE_MAX_MS = 20_000;
/**
 * The same limit for reports. It is longer, because PostgreSQL sends nothing between two pages of a report until the client
 * has read the first page.
 */
const REPORT_SILENCE_MAX_MS = 300_000;
const INT8 = 20;
const NUMERIC = 1700;

/**
 * All tables by name. Each module that owns a table adds it here by declaration merging. Therefore, `store` does not depend on
 * these modules, and a query can join tables of several modules.
 */
// oxlint-disable-next-line typescript/no-empty-object-type
export interface Tables {}

/** Location of the database with keys and ledger. */
export interface DatabaseConfig {
  /** Directory of the SQLite file; created if it does not exist. */
  readonly dataDir: string;
  /** `postgres://…`. If set, only the journal is written to `dataDir`. */
  readonly databaseUrl: string | undefined;
  /** How long SQLite waits for a lock that another process holds; default 1000. The main thread is blocked meanwhile. */
  readonly busyTimeoutMs?: number;
}

/**
 * An open database. With SQLite, a statement of `kysely` runs on the main thread and blocks every request until it ends. Use
 * `kysely` only for writes and for reads of a few rows by an index. `kysely`, `reader` and `reports` all see committed
 * data.
 */
export interface Database {
  readonly kysely: Kysely<Tables>;
  /**
   * Runs short reads with `execute()`, such as pages, lists and the sums of one key. With SQLite, they run in a thread with
   * read-only connections. The thread runs one statement at a time, so each should take only a few ms. With PostgreSQL, this
   * is the same object as `kysely`.
   */
  readonly reader: Kysely<Tables>;
  /**
   * Runs reads that may take seconds, such as sums over all keys, and reads whose results do not fit in memory. `stream(rows)`
   * reads batches as its consumer requests them, from one snapshot and without an open transaction. `execute({ signal })` can
   * be cancelled while it is queued. With SQLite, the reads run in a second thread like that of `reader`. With PostgreSQL, they
   * use a separate pool of connections, and a stream holds one connection until it ends.
   */
  readonly reports: Kysely<Tables>;
  /** The connection that `kysely` uses, for statements that must be fast; undefined with PostgreSQL. */
  readonly sqlite: DatabaseSync | undefined;
  /** Database files that other users can access, because their mode could not be changed. */
  readonly exposedFiles: readonly string[];
  /** Migrates the schema to the version of this gateway; see `migrations.ts`. */
  migrate(): Promise<void>;
  /** Whether the database responds to a query. */
  isReachable(): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * Opens the database. With PostgreSQL, the connection is opened by the first statement.
 * @param onError called when an idle connection is lost. The pool replaces the connection.
 * @throws if a SQLite file cannot be opened.
 */
export function openDatabase(
  { dataDir, databaseUrl, busyTimeoutMs = BUSY_TIMEOUT_MS }: DatabaseConfig,
  onError: (error: Error) => void,
): Database {
  return databaseUrl === undefined
    ? openSqliteDatabase(dataDir, busyTimeoutMs)
    : openPostgresDatabase(databaseUrl, onError);
}

function openSqliteDatabase(dataDir: string, busyTimeoutMs: number): Database {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const path = getSqlitePath(dataDir);
  const sqlite = openSqlite(path, busyTimeoutMs);
  const exposedFiles = makePrivate(["", "-wal", "-shm"].map((end) => path + end));
  const kysely = new Kysely<Tables>({
    dialect: new TransactionalSqlite({ database: asKyselyDatabase(sqlite) }),
  });
  const reader = new Kysely<Tables>({ dialect: new SqliteReaderDialect(sqlite, "reader") });
  const reports = new Kysely<Tables>({ dialect: new SqliteReaderDialect(sqlite, "reports") });
  return createDatabase({ kysely, sqlite, reader, reports, exposedFiles });
}

function openPostgresDatabase(connectionString: string, onError: (error: Error) => void): Database {
  const open = (max: number, silenceMaxMs: number): Pool =>
    createPool({ connectionString, max, silenceMaxMs, onError });
  const pool = open(POOL_MAX, SILENCE_MAX_MS);
  const reportPool = open(REPORTS_MAX, REPORT_SILENCE_MAX_MS);
  const kysely = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  const reports = new Kysely<Tables>({ dialect: new PostgresCursorDialect({ pool: reportPool }) });
  return createDatabase({ kysely, sqlite: undefined, reader: kysely, reports, exposedFiles: [] });
}

interface PoolSettings {
  readonly connectionString: string;
  readonly max: number;
  readonly silenceMaxMs: number;
  readonly onError: (error: Error) => void;
}

/** Creates a pool of connections to PostgreSQL, which opens them when they are needed. */
export function createPool({ connectionString, max, silenceMaxMs, onError }: PoolSettings): Pool {
  const pool = new Pool({
    connectionString,
    max,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    application_name: "sluice",
    stream: () => createSilenceLimitedSocket(silenceMaxMs),
    types: { getTypeParser: getNumberParser },
  });
  pool.on("error", onError);
  // The pool handles errors of idle connections only. If a connection in use fails between two statements, an unhandled
  // `error` event would end the process.
  pool.on("connect", (client) => client.on("error", () => {}));
  return pool;
}

function createDatabase(
  parts: Pick<Database, "kysely" | "sqlite" | "reader" | "reports" | "exposedFiles">,
): Database {
  const { kysely, reader, reports } = parts;
  return {
    ...parts,
    migrate: () => migrate(kysely),
    isReachable: () =>
      sql`select 1`.execute(kysely).then(
        () => true,
        () => false,
      ),
    async close() {
      // Closes the main connection last, because the last connection to a SQLite file checkpoints the WAL when it closes.
      await Promise.all([reader.destroy(), reports.destroy()]);
      await kysely.destroy();
    },
  };
}

/**
 * Creates a socket with an idle timeout. No other event reports that a firewall dropped the connection or that the server
 * crashed.
 */
function createSilenceLimitedSocket(silenceMaxMs: number): Socket {
  const socket = new Socket();
  return socket.setTimeout(silenceMaxMs, () => {
    socket.destroy(Object.assign(new Error("PostgreSQL did not respond in time"), { code: "ETIMEDOUT" }));
  });
}

/** Declares that SQLite supports schema changes in a transaction. Kysely's dialect does not declare this. */
class TransactionalSqlite extends SqliteDialect {
  override createAdapter(): SqliteAdapter {
    return new (class extends SqliteAdapter {
      override get supportsTransactionalDdl(): boolean {
        return true;
      }
    })();
  }
}

/**
 * Parses 64-bit integers and their sums, which `pg` returns as text, to numbers. Amounts of the ledger are exact up to
 * 9 million dollars.
 */
const getNumberParser: typeof types.getTypeParser = ((oid: number, format?: "text" | "binary") =>
  oid === INT8 || oid === NUMERIC
    ? (text: string) => parseExactNumber(text)
    : types.getTypeParser(oid, format)) as typeof types.getTypeParser;

function parseExactNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value))
    throw new RangeError("a number from the database is too large to be exact");
  return value;
}
