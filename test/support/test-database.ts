import { onTestFinished } from "vitest";
import { type Database, openDatabase } from "../../src/store/database.ts";
import { createTemporaryDirectory } from "./temporary-directory.ts";

/** An empty SQLite database with its schema, or the PostgreSQL one at this URL; closed when the test is over. */
export async function openTestDatabase(databaseUrl?: string): Promise<Database> {
  const database = openDatabase({ dataDir: createTemporaryDirectory(), databaseUrl }, () => {});
  onTestFinished(() => database.close());
  await database.migrate();
  return database;
}
