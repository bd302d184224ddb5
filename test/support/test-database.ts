import { onTestFinished } from "vitest";
import { type Database, openDatabase } from "../../src/store/database.ts";
import { createTemporaryDirectory } from "./temporary-directory.ts";

/** Opens a migrated database until the test ends. @param databaseUrl URL of PostgreSQL; if undefined, SQLite is used. */
export async function openTestDatabase(databaseUrl?: string): Promise<Database> {
  const database = openDatabase({ dataDir: createTemporaryDirectory(), databaseUrl }, () => {});
  onTestFinished(() => database.close());
  await database.migrate();
  return database;
}
