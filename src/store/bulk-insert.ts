import type { DatabaseSync } from "node:sqlite";
import { type RawBuilder, sql } from "kysely";
import type { Columns, RowOf } from "./columns.ts";

// Kysely makes the text of a statement anew each time, which costs more than SQLite takes to run it. What is written in
// bulk has its text made once: SQLite takes rows one by one, PostgreSQL all of them as one JSON text. Values are bound in
// the order of the columns: by name, `node:sqlite` takes three times as long to write a row.

/** Inserts one row. @returns whether it changed the table. */
export type InsertRow<Row> = (row: Row) => boolean;

/**
 * Makes a statement that inserts one row into a table of SQLite. A value that a row lacks is null.
 * @param onConflict what happens to a row that exists. @returns it, compiled once for each database.
 */
export function createRowInsert<Table extends Columns>(
  table: string,
  columns: Table,
  onConflict: string,
): (sqlite: DatabaseSync) => InsertRow<RowOf<Table>> {
  const compiled = new WeakMap<DatabaseSync, InsertRow<RowOf<Table>>>();
  const names = Object.keys(columns) as (keyof Table)[];
  const places = names.map(() => "?").join(", ");
  return (sqlite) => {
    const known = compiled.get(sqlite);
    if (known) return known;
    const statement = sqlite.prepare(
      `insert into ${table} (${names.join(", ")}) values (${places}) ${onConflict}`,
    );
    const insert: InsertRow<RowOf<Table>> = (row) =>
      statement.run(...names.map((name) => row[name] ?? null)).changes === 1;
    compiled.set(sqlite, insert);
    return insert;
  };
}

/**
 * Makes a statement that inserts rows into a table of PostgreSQL. A value that a row lacks is null.
 * @param onConflict as above, with what is returned.
 */
export function createBulkInsert<Table extends Columns>(
  table: string,
  columns: Table,
  onConflict: string,
): (rows: readonly RowOf<Table>[]) => RawBuilder<unknown> {
  const names = sql.raw(Object.keys(columns).join(", "));
  const types = sql.raw(
    Object.entries(columns)
      .map(([name, { sqlType }]) => `${name} ${sqlType}`)
      .join(", "),
  );
  return (rows) => sql`
    insert into ${sql.raw(table)} (${names})
    select ${names} from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as row (${types})
    ${sql.raw(onConflict)}`;
}
