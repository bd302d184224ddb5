import { type RawBuilder, sql } from "kysely";
import type { Database } from "./database.ts";

/**
 * The database's clock as an SQL expression. Replicas whose own clocks differ agree on it. With SQLite it is the clock of
 * the machine that both the database and the gateway run on.
 * @param offsetMs added to it. @returns ms since 1970.
 */
export function databaseTime({ sqlite }: Database, offsetMs = 0): RawBuilder<number> {
  const offset = Math.round(offsetMs);
  if (sqlite) return sql<number>`${Date.now() + offset}`;
  // A subquery, because PostgreSQL compares no index with a volatile function.
  return sql<number>`((select (extract(epoch from clock_timestamp()) * 1000)::bigint) + ${offset}::bigint)`;
}

/** Reads the database's clock. @returns ms since 1970. */
export async function readDatabaseTime(database: Database): Promise<number> {
  const { rows } = await sql<{ now: number }>`select ${databaseTime(database)} as now`.execute(
    database.kysely,
  );
  const [row] = rows;
  if (!row) throw new Error("the database does not tell its time");
  return row.now;
}
