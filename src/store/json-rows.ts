import { type RawBuilder, sql } from "kysely";
import type { Columns, RowOf } from "./columns.ts";
import type { Database } from "./database.ts";

/**
 * Creates a table expression of rows that are passed as one JSON text, for statements that read or change several rows.
 * @param alias the name of the expression in the statement.
 */
export function jsonRows<Table extends Columns>(
  { sqlite }: Database,
  columns: Table,
  rows: readonly RowOf<Table>[],
  alias: string,
): RawBuilder<unknown> {
  const json = JSON.stringify(rows);
  const name = sql.raw(alias);
  if (sqlite) {
    const values = sql.raw(
      Object.keys(columns)
        .map((column) => `value ->> '${column}' as ${column}`)
        .join(", "),
    );
    return sql`(select ${values} from json_each(${json})) as ${name}`;
  }
  const types = sql.raw(
    Object.entries(columns)
      .map(([column, { sqlType }]) => `${column} ${sqlType}`)
      .join(", "),
  );
  return sql`jsonb_to_recordset(${json}::jsonb) as ${name} (${types})`;
}
