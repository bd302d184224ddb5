import type { DatabaseSync } from "node:sqlite";
import { vi } from "vitest";
import type { CompiledQuery } from "kysely";
import type { Database } from "../../src/store/database.ts";

/** Makes all reads use the connection that writes, on which a test can observe statements. */
export function readOnMainThread(database: Database): Database {
  return { ...database, reader: database.kysely, reports: database.kysely };
}

/**
 * Returns SQLite's query plans for the statements that `run` executes.
 * @param run executes statements on the given database.
 * @returns each step of the plans, as SQLite describes it.
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

/** Returns SQLite's query plan for a query that another connection executes. @returns each step, as SQLite describes it. */
export function explainQuery(database: Database, { sql }: CompiledQuery): string[] {
  const sqlite = database.sqlite as DatabaseSync;
  return sqlite
    .prepare(`explain query plan ${sql}`)
    .all()
    .map((step) => String(step["detail"]));
}
