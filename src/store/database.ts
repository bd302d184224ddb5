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

/** The SQLite file below this directory. */
export const getSqlitePath = (dataDir: string): string => join(dataDir, "sluice.db");
const BUSY_TIMEOUT_MS = 1_000;
const POOL_MAX = 10;
/** Reports hold a connection while their reader is slow; they must not take those of the ledger and the keys. */
const REPORTS_MAX = 3;
const CONNECT_TIMEOUT_MS = 3_000;
const STATEMENT_TIMEOUT_MS = 15_000;
/** Longer than a statement takes: PostgreSQL says nothing for so long only when the connection is dead and nobody said so. */
const SILENCE_MAX_MS = 20_000;
/** Between two pages of a report PostgreSQL is silent until the client has read the first of them. */
const REPORT_SILENCE_MAX_MS = 300_000;
const INT8 = 20;
const NUMERIC = 1700;

/**
 * All tables by name. The modules that own tables add them here by declaration merging, so that `store` knows none of them
 * and a query may join those of several modules.
 */
// oxlint-disable-next-line typescript/no-empty-object-type
export interface Tables {}

/** Where keys and ledger are kept. */
export interface DatabaseConfig {
  /** Directory of the SQLite file, made when it is not there. */
  readonly dataDir: string;
  /** `postgres://…`; then nothing but the journal is written below `dataDir`. */
  readonly databaseUrl: string | undefined;
  /** How long SQLite waits for another process that writes; default 1000. All that this process does waits with it. */
  readonly busyTimeoutMs?: number;
}

/**
 * An open database. SQLite runs a statement of `kysely` on the main thread and holds every request until it ends, so that
 * `kysely` is for writes and for reads of a few rows by an index. All three see what has been committed.
 */
export interface Database {
  readonly kysely: Kysely<Tables>;
  /**
   * For short reads off the main thread, by `execute()`: pages, lists, the sums of one key. SQLite: a thread with read-only
   * connections, which runs one statement at a time, so that each should take a few ms. PostgreSQL: `kysely` itself.
   */
  readonly reader: Kysely<Tables>;
  /**
   * For reads that may take seconds, such as sums over all keys, and for results that do not fit in memory: `stream(rows)`
   * reads batch by batch while its consumer takes them, from one moment of the database and without an open transaction;
   * `execute({ signal })` is cancellable while it is queued. SQLite: a thread like that of `reader`. PostgreSQL: connections
   * apart from those of `kysely`; a stream holds one.
   */
  readonly reports: Kysely<Tables>;
  /** The connection under `kysely`, for what has to be cheap; undefined: it is PostgreSQL. */
  readonly sqlite: DatabaseSync | undefined;
  /** Files of the database that other users may read, because their mode could not be changed. */
  readonly exposedFiles: readonly string[];
  /** Brings the schema up to this version; see `migrations.ts`. */
  migrate(): Promise<void>;
  /** Whether it answers now. */
  isReachable(): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * Opens the database. PostgreSQL is connected to when it is first asked.
 * @param onError told when an idle connection is lost, which heals by itself.
 * @throws when a SQLite file cannot be opened.
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

function createPool({ connectionString, max, silenceMaxMs, onError }: PoolSettings): Pool {
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
  // The pool does not listen to a connection that is in use; one lost between two statements would end the process.
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
      // Before the connection that writes: whichever is closed last brings SQLite's log to its file.
      await Promise.all([reader.destroy(), reports.destroy()]);
      await kysely.destroy();
    },
  };
}

/** A connection that a firewall has forgotten, or whose server is gone without a word, would be waited for for ever. */
function createSilenceLimitedSocket(silenceMaxMs: number): Socket {
  const socket = new Socket();
  return socket.setTimeout(silenceMaxMs, () => {
    socket.destroy(Object.assign(new Error("PostgreSQL is silent"), { code: "ETIMEDOUT" }));
  });
}

/** SQLite can change its schema within a transaction; Kysely's dialect makes no use of it. */
class TransactionalSqlite extends SqliteDialect {
  override createAdapter(): SqliteAdapter {
    return new (class extends SqliteAdapter {
      override get supportsTransactionalDdl(): boolean {
        return true;
      }
    })();
  }
}

/** 64-bit integers and their sums come as text, because not all are numbers; the ledger's are, up to 9 million dollars. */
const getNumberParser: typeof types.getTypeParser = ((oid: number, format?: "text" | "binary") =>
  oid === INT8 || oid === NUMERIC
    ? (text: string) => parseExactNumber(text)
    : types.getTypeParser(oid, format)) as typeof types.getTypeParser;

function parseExactNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError("a number of the database is too large to be exact");
  return value;
}
