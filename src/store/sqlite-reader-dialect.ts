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

/** Rows per message from the thread. The main thread deserializes them in about 1 ms. */
const BATCH_ROWS = 200;

/**
 * A Kysely dialect for a `SqliteReader`. `execute()` collects all rows; `stream(batchRows)` holds at most one batch in
 * memory. Transactions are not supported, and statements that write fail.
 */
export class SqliteReaderDialect implements Dialect {
  readonly #sqlite: DatabaseSync;
  readonly #name: string;

  /** @param sqlite an open file; the reader opens the same file at the first statement. @param name name of the thread. */
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

/** Lets statements run concurrently. Kysely's SQLite adapter would make all statements wait while a stream is open. */
class ReaderAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

/** Shares one connection between all statements, because the reader has its own queue. */
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
    throw new Error("the reader does not support transactions");
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
