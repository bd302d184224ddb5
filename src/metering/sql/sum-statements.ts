import type { DatabaseSync } from "node:sqlite";
import type { RawBuilder } from "kysely";
import { createBulkInsert, createRowInsert, type InsertRow } from "../../store/bulk-insert.ts";
import { BIGINT, type Columns, type RowOf } from "../../store/columns.ts";
import { type Sum, SUMS } from "../record.ts";

/** The columns of the sums in a table of rollups. */
export const SUM_COLUMNS = Object.fromEntries(SUMS.map((sum) => [sum, BIGINT])) as Record<Sum, typeof BIGINT>;

/** The statements that add rows to a table of sums. */
interface SumStatements<Table extends Columns> {
  /** Prepares the statement for one row with SQLite. */
  readonly prepare: (sqlite: DatabaseSync) => InsertRow<RowOf<Table>>;
  /** Builds the statement for many rows with PostgreSQL. */
  readonly build: (rows: readonly RowOf<Table>[]) => RawBuilder<unknown>;
}

/** Creates the statements that add rows to a table of sums. @param group the columns of its primary key. */
export function createSumStatements<Table extends Columns>(
  table: string,
  group: readonly string[],
  columns: Table,
): SumStatements<Table> {
  const added = SUMS.map((sum) => `${sum} = ${table}.${sum} + excluded.${sum}`).join(", ");
  const onConflict = `on conflict (${group.join(", ")}) do update set ${added}`;
  return {
    prepare: createRowInsert(table, columns, onConflict),
    build: createBulkInsert(table, columns, onConflict),
  };
}

/**
 * Merges rows into one per group, sorted by group: replicas that update the same rows in the same order cannot deadlock.
 * @param toGroup returns a text that identifies the group of a row.
 */
export function mergeSums<Row extends Record<Sum, number>>(
  rows: readonly Row[],
  toGroup: (row: Row) => string,
): Row[] {
  const groups = new Map<string, Row>();
  for (const row of rows) {
    const group = toGroup(row);
    const sums = groups.get(group);
    if (sums) for (const sum of SUMS) sums[sum] += row[sum];
    else groups.set(group, { ...row });
  }
  return [...groups].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}

/** Returns a row whose sums, when added, subtract those of the given row. */
export function negateSums<Row extends Record<Sum, number>>(row: Row): Row {
  const negative = { ...row };
  for (const sum of SUMS) negative[sum] = -row[sum];
  return negative;
}
