import { sql } from "kysely";
import type { Database } from "../../src/store/database.ts";

/** Reads the columns and indexes of all tables except those of migrations, one per line, as the database states them. */
export async function readSchema(database: Database): Promise<string> {
  const { columns, indexes } = database.sqlite ? SQLITE : POSTGRES;
  const lines = [
    ...(await columns.execute(database.kysely)).rows,
    ...(await indexes.execute(database.kysely)).rows,
  ];
  return lines.map(({ line }) => `${line}\n`).join("");
}

const SQLITE = {
  columns: sql<{ line: string }>`
    select format('%s.%s %s notnull=%d default=%s pk=%d', tables.name, columns.name, type, "notnull",
      coalesce(dflt_value, 'null'), pk) as line
    from (select name from sqlite_schema where type = 'table' and name not like 'sluice_m%'
      and name not like 'sqlite_%') as tables, pragma_table_info(tables.name) as columns
    order by tables.name, cid`,
  indexes: sql<{ line: string }>`
    select format('%s on %s: %s', name, tbl_name, coalesce(sql, 'null')) as line
    from sqlite_schema where type = 'index' and tbl_name not like 'sluice_m%' order by name`,
};

const POSTGRES = {
  columns: sql<{ line: string }>`
    select format('%s.%s %s null=%s default=%s', table_name, column_name, data_type, is_nullable,
      coalesce(column_default, 'null')) as line
    from information_schema.columns where table_schema = 'public' and table_name not like 'sluice_m%'
    order by table_name, ordinal_position`,
  indexes: sql<{ line: string }>`
    select format('%s: %s', indexname, indexdef) as line
    from pg_indexes where schemaname = 'public' and tablename not like 'sluice_m%' order by indexname`,
};
