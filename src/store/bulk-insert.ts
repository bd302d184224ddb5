import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { type RawBuilder, sql } from "kysely";
import type { Columns, RowOf } from "./columns.ts";

// Kysely compiles the SQL text of a statement for each execution, which takes longer than SQLite takes to run the statement.
// Bulk inserts compile their text once. With SQLite, the statement then runs once per row. With PostgreSQL, it inserts all
// rows from one JSON text.

/** Inserts one row. @returns whether it changed the table. */
export type InsertRow<Row> = (row: Row) => boolean;

/**
 * Creates a statement that inserts one row into a SQLite table. Missing values are null.
 * @param onConflict the `on conflict` clause.
 * @returns a function that prepares the statement, once for each database.
 */
export function createRowInsert<Table extends Columns>(
  table: string,
  columns: Table,
  onConflict: string,
): (sqlite: DatabaseSync) => InsertRow<RowOf<Table>> {
  const compiled = new WeakMap<DatabaseSync, InsertRow<RowOf<Table>>>();
  const names = Object.keys(columns);
  const placeholders = names.map(() => "?").join(", ");
  return (sqlite) => {
    const known = compiled.get(sqlite);
    if (known) return known;
    const statement = sqlite.prepare(
      `insert into ${table} (${names.join(", ")}) values (${placeholders}) ${onConflict}`,
    );
    // Binds values by position: `node:sqlite` takes three times as long to bind them by name, because it looks up each name.
    const insert: InsertRow<RowOf<Table>> = (row: Readonly<Record<string, SQLInputValue>>) =>
      statement.run(...names.map((name) => row[name] ?? null)).changes === 1;
    compiled.set(sqlite, insert);
    return insert;
  };
}

/**
 * Creates a statement that inserts rows into a PostgreSQL table. Missing values are null.
 * @param onConflict the `on conflict` clause, which may be followed by a `returning` clause.
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
