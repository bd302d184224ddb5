import { onTestFinished } from "vitest";
import { type Database, openDatabase } from "../../src/store/database.ts";
import { createTemporaryDirectory } from "./temporary-directory.ts";

/** Opens a migrated database: a new SQLite one, or PostgreSQL at this URL. It is closed when the test ends. */
export async function openTestDatabase(databaseUrl?: string): Promise<Database> {
  const database = openDatabase({ dataDir: createTemporaryDirectory(), databaseUrl }, () => {});
  onTestFinished(() => database.close());
  await database.migrate();
  return database;
}
