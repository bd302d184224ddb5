import { mkdirSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { Kysely, PostgresDialect, sql, SqliteAdapter, SqliteDialect } from "kysely";
import { Pool, types } from "pg";
import { migrate } from "./migrations.ts";
import { asKyselyDatabase, openSqlite } from "./node-sqlite.ts";
import { makePrivate } from "./private-files.ts";
import type { Tables } from "./tables.ts";

/** The SQLite file below this directory. */
export const sqlitePath = (dataDir: string): string => join(dataDir, "sluice.db");
const BUSY_TIMEOUT_MS = 1_000;
const POOL_MAX = 10;
const CONNECT_TIMEOUT_MS = 3_000;
const STATEMENT_TIMEOUT_MS = 15_000;
/** Longer than a statement takes: PostgreSQL says nothing for so long only when the connection is dead and nobody said so. */
const SILENCE_MAX_MS = 20_000;
const INT8 = 20;
const NUMERIC = 1700;

/** Where keys and ledger are kept. */
export interface DatabaseConfig {
  /** Directory of the SQLite file, made when it is not there. */
  readonly dataDir: string;
  /** `postgres://…`; then nothing but the journal is written below `dataDir`. */
  readonly databaseUrl: string | undefined;
  /** How long SQLite waits for another process that writes; default 1000. All that this process does waits with it. */
  readonly busyTimeoutMs?: number;
}

/** An open database. */
export interface Database {
  readonly kysely: Kysely<Tables>;
  /** The connection under `kysely`, for what has to be cheap; undefined: it is PostgreSQL. */
  readonly sqlite: DatabaseSync | undefined;
  /** Files of the database that other users may read, because their mode could not be changed. */
  readonly exposedFiles: readonly string[];
  /** Brings the schema up to this version; see `migrations.ts`. */
  migrate(): Promise<void>;
  /** Whether it answers now. */
  answers(): Promise<boolean>;
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
  return databaseUrl === undefined ? overSqlite(dataDir, busyTimeoutMs) : overPostgres(databaseUrl, onError);
}

function overSqlite(dataDir: string, busyTimeoutMs: number): Database {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const path = sqlitePath(dataDir);
  const sqlite = openSqlite(path, busyTimeoutMs);
  const exposedFiles = makePrivate(["", "-wal", "-shm"].map((end) => path + end));
  return database(
    new Kysely({ dialect: new TransactionalSqlite({ database: asKyselyDatabase(sqlite) }) }),
    sqlite,
    exposedFiles,
  );
}

function overPostgres(connectionString: string, onError: (error: Error) => void): Database {
  const pool = new Pool({
    connectionString,
    max: POOL_MAX,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    application_name: "sluice",
    stream: socketThatGivesUp,
    types: { getTypeParser: numbersAsNumbers },
  });
  pool.on("error", onError);
  // The pool does not listen to a connection that is in use; one lost between two statements would end the process.
  pool.on("connect", (client) => client.on("error", () => {}));
  return database(new Kysely({ dialect: new PostgresDialect({ pool }) }), undefined, []);
}

function database(
  kysely: Kysely<Tables>,
  sqlite: DatabaseSync | undefined,
  exposedFiles: readonly string[],
): Database {
  return {
    kysely,
    sqlite,
    exposedFiles,
    migrate: () => migrate(kysely),
    answers: () =>
      sql`select 1`.execute(kysely).then(
        () => true,
        () => false,
      ),
    close: () => kysely.destroy(),
  };
}

/** A connection that a firewall has forgotten, or whose server is gone without a word, would be waited for for ever. */
function socketThatGivesUp(): Socket {
  const socket = new Socket();
  return socket.setTimeout(SILENCE_MAX_MS, () => {
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
const numbersAsNumbers: typeof types.getTypeParser = ((oid: number, format?: "text" | "binary") =>
  oid === INT8 || oid === NUMERIC
    ? (text: string) => exactNumber(text)
    : types.getTypeParser(oid, format)) as typeof types.getTypeParser;

function exactNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError("a number of the database is too large to be exact");
  return value;
}
