import type { DatabaseSync } from "node:sqlite";
import { vi } from "vitest";
import type { CompiledQuery } from "kysely";
import type { Database } from "../../src/store/database.ts";

/** The same database with every read on the connection that writes, where a test can watch its statements. */
export function readOnMainThread(database: Database): Database {
  return { ...database, reader: database.kysely, reports: database.kysely };
}

/**
 * How SQLite carries out the statements that `run` makes.
 * @param run makes them with the database that it is given.
 * @returns every step, in SQLite's own words.
 */
export async function explainStatements(
  database: Database,
  run: (watched: Database) => Promise<unknown>,
): Promise<string[]> {
  const sqlite = database.sqlite as DatabaseSync;
  const prepare = vi.spyOn(sqlite, "prepare");
  await run(readOnMainThread(database));
  const texts = prepare.mock.calls.map(([text]) => text);
  prepare.mockRestore();
  return texts.flatMap((text) =>
    sqlite
      .prepare(`explain query plan ${text}`)
      .all()
      .map((step) => String(step["detail"])),
  );
}

/** How SQLite carries out a query that is not made by the connection of `sqlite`. @returns as `plansOf`. */
export function explainQuery(database: Database, { sql }: CompiledQuery): string[] {
  const sqlite = database.sqlite as DatabaseSync;
  return sqlite
    .prepare(`explain query plan ${sql}`)
    .all()
    .map((step) => String(step["detail"]));
}
