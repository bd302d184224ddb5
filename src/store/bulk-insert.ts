import type { DatabaseSync, StatementSync } from "node:sqlite";
import { type RawBuilder, sql } from "kysely";

// Kysely makes the text of a statement anew each time, which costs more than SQLite takes to run it. What is written in
// bulk has its text made once: SQLite takes rows one by one, PostgreSQL all of them as one JSON text.

/** Columns with their types in PostgreSQL. */
export type Columns<Row> = readonly (readonly [keyof Row & string, "text" | "int" | "bigint"])[];

/** The names of columns, as SQL lists them. */
function joinColumnNames<Row>(columns: Columns<Row>): string {
  return columns.map(([name]) => name).join(", ");
}

/**
 * Makes a statement that inserts one row into a table of SQLite.
 * @param onConflict what becomes of a row that is there already. @returns it, compiled once for each database.
 */
export function createRowInsert<Row>(
  table: string,
  columns: Columns<Row>,
  onConflict: string,
): (sqlite: DatabaseSync) => StatementSync {
  const compiled = new WeakMap<DatabaseSync, StatementSync>();
  const values = columns.map(() => "?").join(", ");
  return (sqlite) => {
    const known = compiled.get(sqlite);
    if (known) return known;
    const statement = sqlite.prepare(
      `insert into ${table} (${joinColumnNames(columns)}) values (${values}) ${onConflict}`,
    );
    compiled.set(sqlite, statement);
    return statement;
  };
}

/** Makes a statement that inserts rows into a table of PostgreSQL. @param onConflict as above, with what is returned. */
export function createBulkInsert<Row>(
  table: string,
  columns: Columns<Row>,
  onConflict: string,
): (rows: readonly Row[]) => RawBuilder<unknown> {
  const list = sql.raw(joinColumnNames(columns));
  const types = sql.raw(columns.map(([name, type]) => `${name} ${type}`).join(", "));
  return (rows) => sql`
    insert into ${sql.raw(table)} (${list})
    select ${list} from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as row (${types})
    ${sql.raw(onConflict)}`;
}
