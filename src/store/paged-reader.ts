import type { CompiledQuery } from "kysely";

/** Rows in one page: few enough to make text of them without holding up a request. */
export const PAGE_ROWS = 250;

/** A row as it comes from the database: numbers are safe integers, larger ones have to be selected as text. */
export type ReadRow = Readonly<Record<string, unknown>>;

/** Runs queries that read too much, or give too many rows, for the connections that requests wait for. */
export interface PagedReader {
  /**
   * Gives the rows of a query page by page as they are asked for, all of them as they were when it began. Between pages no
   * transaction is open, however slow whoever reads them is.
   * @throws what the database says; `isUnavailable` knows it.
   */
  pages(query: CompiledQuery): AsyncGenerator<readonly ReadRow[], void>;
  /** Gives the only row of a query, such as sums of many rows. @throws as `pages` does. */
  row(query: CompiledQuery): Promise<ReadRow>;
  close(): Promise<void>;
}
