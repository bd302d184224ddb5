import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type Database, getSqlitePath, openDatabase } from "../../src/store/database.ts";
import { createTemporaryDirectory } from "./temporary-directory.ts";

/** Opens a migrated database until the test ends. @param databaseUrl URL of PostgreSQL; if undefined, SQLite is used. */
export async function openTestDatabase(databaseUrl?: string): Promise<Database> {
  const dataDir = databaseUrl === undefined ? await createDataDirectory() : createTemporaryDirectory();
  const database = openDatabase({ dataDir, databaseUrl }, () => {});
  onTestFinished(() => database.close());
  if (databaseUrl !== undefined) await database.migrate();
  return database;
}

let template: Promise<Buffer> | undefined;

/**
 * Creates a data directory that has a migrated SQLite database without rows, and is deleted when the test ends. The file is
 * a copy, because a migration takes 20 ms of CPU time.
 */
export async function createDataDirectory(): Promise<string> {
  const file = await (template ??= createTemplate());
  const dataDir = createTemporaryDirectory();
  writeFileSync(getSqlitePath(dataDir), file, { mode: 0o600 });
  return dataDir;
}

/** Migrates a database. @returns the content of its file. */
async function createTemplate(): Promise<Buffer> {
  const dataDir = await mkdtemp(join(tmpdir(), "sluice-template-"));
  try {
    const database = openDatabase({ dataDir, databaseUrl: undefined }, () => {});
    await database.migrate();
    await database.close();
    return readFileSync(getSqlitePath(dataDir));
  } finally {
    rmSync(dataDir, { recursive: true });
  }
}
