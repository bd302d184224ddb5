import type { DatabaseSync } from "node:sqlite";
import type { RawBuilder } from "kysely";
import { createBulkInsert, createRowInsert, type InsertRow } from "../../store/bulk-insert.ts";
import { BIGINT, type Columns, type RowOf } from "../../store/columns.ts";
import { type Sum, SUMS } from "../record.ts";

/** The columns of the sums in a table of rollups. */
export const SUM_COLUMNS = Object.fromEntries(SUMS.map((sum) => [sum, BIGINT])) as Record<Sum, typeof BIGINT>;

/** A row in which sums that are 0 may be absent. */
export type SparseRow<Table extends Columns> = Partial<RowOf<Table>>;

/** A table of sums: adds rows to it, and computes with its rows. */
export interface SumTable<Table extends Columns> {
  /** Prepares the statement that adds one row with SQLite. */
  readonly prepare: (sqlite: DatabaseSync) => InsertRow<RowOf<Table>>;
  /** Builds the statement that adds many rows with PostgreSQL. */
  readonly build: (rows: readonly RowOf<Table>[]) => RawBuilder<unknown>;
  /**
   * Merges rows into one per group, with all sums, sorted by group: replicas that update the same rows in the same order cannot deadlock.
   */
  readonly merge: (rows: readonly SparseRow<Table>[]) => RowOf<Table>[];
  /** Returns a row whose sums, when added, subtract those of the given row. */
  readonly negate: (row: SparseRow<Table>) => SparseRow<Table>;
}

/**
 * Creates the operations on a table of sums.
 * @param group the columns of its primary key. All other columns are sums.
 */
export function createSumTable<Table extends Columns>(
  table: string,
  group: readonly string[],
  columns: Table,
): SumTable<Table> {
  const sums = Object.keys(columns).filter((name) => !group.includes(name));
  const empty = Object.fromEntries(sums.map((sum) => [sum, 0]));
  const added = sums.map((sum) => `${sum} = ${table}.${sum} + excluded.${sum}`).join(", ");
  const onConflict = `on conflict (${group.join(", ")}) do update set ${added}`;
  return {
    prepare: createRowInsert(table, columns, onConflict),
    build: createBulkInsert(table, columns, onConflict),
    merge: (rows) => mergeRows(rows, group, empty),
    negate: (row) => {
      const negative: Record<string, unknown> = { ...row };
      for (const sum of sums) if (negative[sum]) negative[sum] = -(negative[sum] as number);
      return negative as SparseRow<Table>;
    },
  };
}

function mergeRows<Table extends Columns>(
  rows: readonly SparseRow<Table>[],
  group: readonly string[],
  empty: Readonly<Record<string, number>>,
): RowOf<Table>[] {
  const sums = Object.keys(empty);
  const merged = new Map<string, Record<string, string | number>>();
  for (const row of rows as readonly Readonly<Record<string, string | number>>[]) {
    let id = "";
    for (const name of group) id += `${row[name]}\n`;
    const total = merged.get(id);
    if (total) {
      // Most sums of a request are 0 or absent.
      for (const sum of sums) if (row[sum]) (total[sum] as number) += row[sum] as number;
    } else merged.set(id, { ...empty, ...row });
  }
  const sorted = [...merged].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([, row]) => row as RowOf<Table>);
}
