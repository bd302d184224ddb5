import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import type { Pool } from "pg";
import { Kysely, PostgresDialect, sql, SqliteDialect } from "kysely";
import { type Database, type DatabaseConfig, createPool, getSqlitePath, type Tables } from "./database.ts";
import { MIGRATIONS, MIGRATION_TABLE } from "./migrations.ts";
import { asKyselyDatabase } from "./node-sqlite.ts";

const SILENCE_MAX_MS = 5_000;
/** PostgreSQL's code for a table that does not exist. */
const UNDEFINED_TABLE = "42P01";

/** A database that is opened for an inspection, and is not changed by it. */
export interface InspectedDatabase extends Pick<Database, "kysely" | "sqlite"> {
  /**
   * Begins to write and rolls back, which shows whether the server accepts writes and how long it takes to begin one.
   * @throws the error of the database, such as that of a read-only server.
   */
  tryWrite(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the database for an inspection. Nothing is created, migrated or checkpointed. Without a write-ahead log, no process has
 * the SQLite file open, and it is opened as immutable: otherwise SQLite would create files beside it.
 * @throws if a SQLite file does not exist or cannot be opened.
 */
export function inspectDatabase({ dataDir, databaseUrl }: DatabaseConfig): InspectedDatabase {
  return databaseUrl === undefined ? inspectSqlite(getSqlitePath(dataDir)) : inspectPostgres(databaseUrl);
}

function inspectSqlite(path: string): InspectedDatabase {
  const url = pathToFileURL(path);
  if (!existsSync(`${path}-wal`)) url.search = "?immutable=1";
  const sqlite = new DatabaseSync(url, { readOnly: true, timeout: 1_000 });
  const kysely = new Kysely<Tables>({ dialect: new SqliteDialect({ database: asKyselyDatabase(sqlite) }) });
  return {
    kysely,
    sqlite,
    // A second connection, because the first one is read-only.
    tryWrite: () => Promise.resolve(tryToLock(path)),
    close: () => kysely.destroy(),
  };
}

/** Takes SQLite's write lock for a moment. Must be called only while a gateway has the file open, which keeps its log. */
function tryToLock(path: string): void {
  const database = new DatabaseSync(path, { timeout: 1_000 });
  try {
    database.exec("begin immediate; rollback");
  } finally {
    database.close();
  }
}

function inspectPostgres(connectionString: string): InspectedDatabase {
  const pool = createPool({ connectionString, max: 1, silenceMaxMs: SILENCE_MAX_MS, onError: () => {} });
  const kysely = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  return {
    kysely,
    sqlite: undefined,
    tryWrite: () => tryToInsert(pool),
    close: () => kysely.destroy(),
  };
}

/** Inserts an instance, or creates a table in a database without a schema, and rolls back. */
async function tryToInsert(pool: Pool): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query("begin");
    const { rows } = await client.query("select to_regclass('instances') is not null as found");
    const [row] = rows as { found: boolean }[];
    await client.query(
      row?.found
        ? "insert into instances (id, started_at, seen_at) values ('doctor', 0, 0)"
        : "create table sluice_doctor (id integer)",
    );
  } finally {
    await client.query("rollback").catch(() => {});
    client.release();
  }
}

/** The schema of a database compared with that of this version. */
export interface SchemaState {
  /** Migrations of this version that the database does not have yet; all of them in an empty database. */
  readonly missing: readonly string[];
  /** Migrations of the database that this version does not know, because a newer version has made them. */
  readonly unknown: readonly string[];
}

/** Compares the schema of a database with that of this version. @throws the error of the database. */
export async function readSchemaState({ kysely }: InspectedDatabase): Promise<SchemaState> {
  const applied = await readMigrations(kysely);
  const known = Object.keys(MIGRATIONS);
  return {
    missing: known.filter((name) => !applied.includes(name)),
    unknown: applied.filter((name) => !known.includes(name)),
  };
}

async function readMigrations(kysely: Kysely<Tables>): Promise<string[]> {
  try {
    const { rows } = await sql<{ name: string }>`select name from ${sql.table(MIGRATION_TABLE)}`.execute(
      kysely,
    );
    return rows.map(({ name }) => name);
  } catch (error) {
    const { code, message } = error as { code?: unknown; message?: string };
    if (code === UNDEFINED_TABLE || message?.startsWith("no such table")) return [];
    throw error;
  }
}

/** The state of a PostgreSQL server that matters to gateways. */
export interface PostgresState {
  /** Such as 16.4. */
  readonly version: string;
  /** Connections that ordinary users may open, and those that are open. */
  readonly connections: number;
  readonly connectionsUsed: number;
  /** Whether the server is a replica, or refuses writes for another reason. */
  readonly isReplica: boolean;
  readonly isReadOnly: boolean;
}

/** Reads the state of a PostgreSQL server. @throws the error of the database. */
export async function readPostgresState({ kysely }: InspectedDatabase): Promise<PostgresState> {
  const { rows } = await sql<PostgresState>`
    select current_setting('server_version') as version,
      current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int as connections,
      (select count(*)::int from pg_stat_activity where backend_type = 'client backend') as "connectionsUsed",
      pg_is_in_recovery() as "isReplica",
      current_setting('transaction_read_only') = 'on' as "isReadOnly"`.execute(kysely);
  const [row] = rows;
  if (!row) throw new Error("the database did not return its settings");
  return row;
}

/** Measures the time of a query that reads no table. @returns ms of each of `count` queries. */
export async function measureQueries({ kysely }: InspectedDatabase, count: number): Promise<number[]> {
  const times: number[] = [];
  // The first query opens the connection.
  for (let sent = 0; sent <= count; sent++) {
    const startedAt = performance.now();
    await sql`select 1`.execute(kysely);
    if (sent > 0) times.push(performance.now() - startedAt);
  }
  return times;
}
