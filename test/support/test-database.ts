import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type Database, openDatabase } from "../../src/store/database.ts";

/** A directory that is gone when the test is over. */
export function createTemporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "sluice-test-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** An empty SQLite database with its schema, or the PostgreSQL one at this URL; closed when the test is over. */
export async function openTestDatabase(databaseUrl?: string): Promise<Database> {
  const database = openDatabase({ dataDir: createTemporaryDirectory(), databaseUrl }, () => {});
  onTestFinished(() => database.close());
  await database.migrate();
  return database;
}
