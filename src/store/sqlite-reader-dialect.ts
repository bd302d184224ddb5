import type { DatabaseSync } from "node:sqlite";
import {
  type AbortableOperationOptions,
  type CompiledQuery,
  type DatabaseConnection,
  type DatabaseIntrospector,
  type Dialect,
  type DialectAdapter,
  type Driver,
  type Kysely,
  type QueryCompiler,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import { SqliteReader } from "./sqlite-reader.ts";

/** Rows that cross from the thread at once: about a millisecond of work for the main thread. */
const BATCH_ROWS = 200;

/**
 * Kysely over a `SqliteReader`. `execute()` collects all rows, `stream(batchRows)` yields them while a batch at most is in
 * memory. There are no transactions, and a statement that writes fails.
 */
export class SqliteReaderDialect implements Dialect {
  readonly #sqlite: DatabaseSync;
  readonly #name: string;

  /** @param sqlite an open file; the reader opens the same file when the first statement comes. @param name of the thread. */
  constructor(sqlite: DatabaseSync, name: string) {
    this.#sqlite = sqlite;
    this.#name = name;
  }

  createDriver(): Driver {
    return new ReaderDriver(new SqliteReader(this.#sqlite, this.#name));
  }

  createAdapter(): DialectAdapter {
    return new ReaderAdapter();
  }

  createQueryCompiler(): QueryCompiler {
    return new SqliteQueryCompiler();
  }

  createIntrospector(kysely: Kysely<unknown>): DatabaseIntrospector {
    return new SqliteIntrospector(kysely);
  }
}

/** Kysely's SQLite dialect gives out its one connection to one statement at a time, so a stream would hold up all others. */
class ReaderAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

/** One connection for all: the reader has its own queue, so that nobody has to wait for a connection. */
class ReaderDriver implements Driver {
  readonly #reader: SqliteReader;
  readonly #connection: DatabaseConnection;

  constructor(reader: SqliteReader) {
    this.#reader = reader;
    this.#connection = new ReaderConnection(reader);
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection;
  }

  async beginTransaction(): Promise<void> {
    throw new Error("the reader has no transactions");
  }

  async commitTransaction(): Promise<void> {}

  async rollbackTransaction(): Promise<void> {}

  async releaseConnection(): Promise<void> {}

  async destroy(): Promise<void> {
    await this.#reader.close();
  }
}

class ReaderConnection implements DatabaseConnection {
  readonly #reader: SqliteReader;

  constructor(reader: SqliteReader) {
    this.#reader = reader;
  }

  async executeQuery<R>(query: CompiledQuery, options?: AbortableOperationOptions): Promise<QueryResult<R>> {
    const { sql, parameters } = query;
    const read = { batchRows: BATCH_ROWS, isCopied: false, signal: options?.signal };
    const rows: R[] = [];
    for await (const batch of this.#reader.read(sql, parameters, read)) rows.push(...(batch as R[]));
    return { rows };
  }

  async *streamQuery<R>(
    { sql, parameters }: CompiledQuery,
    batchRows: number,
    options?: AbortableOperationOptions,
  ): AsyncGenerator<QueryResult<R>> {
    const read = { batchRows, isCopied: true, signal: options?.signal };
    for await (const rows of this.#reader.read(sql, parameters, read)) yield { rows: rows as R[] };
  }
}
