import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { type RawBuilder, sql } from "kysely";
import type { Columns, RowOf } from "./columns.ts";

// Kysely makes the text of a statement anew each time, which costs more than SQLite takes to run it. What is written in
// bulk has its text made once: SQLite takes rows one by one, PostgreSQL all of them as one JSON text.

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
  const names = Object.keys(columns);
  const listValues = compileListValues(names);
  const places = names.map(() => "?").join(", ");
  return (sqlite) => {
    const known = compiled.get(sqlite);
    if (known) return known;
    const statement = sqlite.prepare(
      `insert into ${table} (${names.join(", ")}) values (${places}) ${onConflict}`,
    );
    const insert: InsertRow<RowOf<Table>> = (row) => statement.run(...listValues(row)).changes === 1;
    compiled.set(sqlite, insert);
    return insert;
  };
}

/**
 * Compiles a function that lists the values of a row in the order of its columns, null for those that it lacks. Of what a row
 * of the ledger takes to write, going through the names for each row would cost another tenth; values that are bound by name,
 * which `node:sqlite` looks up one by one, three times the whole.
 */
function compileListValues(names: readonly string[]): (row: object) => SQLInputValue[] {
  const values = names.map((name) => `row.${name} ?? null`).join(", ");
  // oxlint-disable-next-line typescript/no-implied-eval -- the names are columns of this program
  return new Function("row", `return [${values}]`) as (row: object) => SQLInputValue[];
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
