import { type RawBuilder, sql } from "kysely";
import type { Database } from "./database.ts";

/**
 * Returns an SQL expression for the time by the database's clock. Replicas need one clock, and their machines' clocks may
 * differ. With SQLite, the database's clock is that of the gateway's machine.
 * @param offsetMs added to the time. @returns an expression in ms since 1970.
 */
export function databaseTime({ sqlite }: Pick<Database, "sqlite">, offsetMs = 0): RawBuilder<number> {
  const offset = Math.round(offsetMs);
  if (sqlite) return sql<number>`${Date.now() + offset}`;
  // A subquery, because PostgreSQL does not use an index to compare a column with a volatile function.
  return sql<number>`((select (extract(epoch from clock_timestamp()) * 1000)::bigint) + ${offset}::bigint)`;
}

/** Reads the database's clock. @returns ms since 1970. */
export async function readDatabaseTime(database: Pick<Database, "kysely" | "sqlite">): Promise<number> {
  const { rows } = await sql<{ now: number }>`select ${databaseTime(database)} as now`.execute(
    database.kysely,
  );
  const [row] = rows;
  if (!row) throw new Error("the database did not return its time");
  return row.now;
}
