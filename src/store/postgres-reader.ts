import type { CompiledQuery } from "kysely";
import type { Pool } from "pg";
import { PAGE_ROWS, type PagedReader, type ReadRow } from "./paged-reader.ts";

/**
 * Reads PostgreSQL with a cursor that outlives its transaction: the server keeps the rows, and no old snapshot stands in
 * the way of its clean-up.
 */
export class PostgresReader implements PagedReader {
  readonly #pool: Pool;
  readonly #reports: Pool;

  /** @param reports for pages and nothing else: they keep their connection as long as they are read. */
  constructor(pool: Pool, reports: Pool) {
    this.#pool = pool;
    this.#reports = reports;
  }

  async row({ sql, parameters }: CompiledQuery): Promise<ReadRow> {
    const { rows } = await this.#pool.query<ReadRow>(sql, [...parameters]);
    if (!rows[0]) throw new Error("a query that gives one row gave none");
    return rows[0];
  }

  async *pages({ sql, parameters }: CompiledQuery): AsyncGenerator<readonly ReadRow[], void> {
    const client = await this.#reports.connect();
    let isClean = false;
    try {
      await client.query("begin read only");
      await client.query(`declare pages no scroll cursor with hold for ${sql}`, [...parameters]);
      await client.query("commit");
      for (let isLast = false; !isLast;) {
        const { rows } = await client.query<ReadRow>(`fetch ${PAGE_ROWS} from pages`);
        isLast = rows.length < PAGE_ROWS;
        if (rows.length > 0) yield rows;
      }
      await client.query("close pages");
      isClean = true;
    } finally {
      // One that is left in a transaction, or with a cursor, is closed.
      client.release(!isClean);
    }
  }

  async close(): Promise<void> {
    await this.#reports.end();
  }
}
