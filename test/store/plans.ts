import type { DatabaseSync } from "node:sqlite";
import { vi } from "vitest";
import type { CompiledQuery } from "kysely";
import type { Database } from "../../src/store/database.ts";

/**
 * How SQLite carries out the statements that `run` has made.
 * @returns every step, in SQLite's own words.
 */
export async function plansOf(database: Database, run: () => Promise<unknown>): Promise<string[]> {
  const sqlite = database.sqlite as DatabaseSync;
  const prepare = vi.spyOn(sqlite, "prepare");
  await run();
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
export function readPlan(database: Database, { sql }: CompiledQuery): string[] {
  const sqlite = database.sqlite as DatabaseSync;
  return sqlite
    .prepare(`explain query plan ${sql}`)
    .all()
    .map((step) => String(step["detail"]));
}
