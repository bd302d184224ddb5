import {
  type AbortableOperationOptions,
  CompiledQuery,
  type DatabaseConnection,
  type Driver,
  PostgresDialect,
  type PostgresDialectConfig,
  PostgresDriver,
  type QueryResult,
} from "kysely";

/**
 * Kysely's PostgreSQL dialect, with a `stream()` that uses a server-side cursor. Kysely's own `stream()` needs a package for
 * cursors. A stream holds its connection until it ends, but no transaction. The cursor is declared `with hold`: the
 * server stores the rows, so no old snapshot prevents vacuuming.
 */
export class PostgresCursorDialect extends PostgresDialect {
  readonly #config: PostgresDialectConfig;

  constructor(config: PostgresDialectConfig) {
    super(config);
    this.#config = config;
  }

  override createDriver(): Driver {
    return new CursorDriver(this.#config);
  }
}

class CursorDriver extends PostgresDriver {
  override async acquireConnection(options?: AbortableOperationOptions): Promise<DatabaseConnection> {
    const connection = await super.acquireConnection(options);
    // The method is replaced on Kysely's own connection object: a wrapper could not be released, because Kysely compares by
    // identity.
    connection.streamQuery = (query, batchRows) => streamByCursor(connection, query, batchRows);
    return connection;
  }
}

async function* streamByCursor<R>(
  connection: DatabaseConnection,
  { sql, parameters }: CompiledQuery,
  batchRows: number,
): AsyncGenerator<QueryResult<R>> {
  const run = (text: string, values: readonly unknown[] = []): Promise<QueryResult<R>> =>
    connection.executeQuery(CompiledQuery.raw(text, [...values]));
  await run("begin read only");
  try {
    await run(`declare rows no scroll cursor with hold for ${sql}`, parameters);
    await run("commit");
  } catch (error) {
    // The rollback fails only if the connection is lost. The pool then removes the connection.
    await run("rollback").catch(() => {});
    throw error;
  }
  try {
    for (;;) {
      const batch = await run(`fetch ${batchRows} from rows`);
      if (batch.rows.length > 0) yield batch;
      if (batch.rows.length < batchRows) return;
    }
  } finally {
    await run("close rows").catch(() => {});
  }
}
