import type { DatabaseSync } from "node:sqlite";
import { vi } from "vitest";
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
