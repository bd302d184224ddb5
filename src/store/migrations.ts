import type { Kysely } from "kysely";
import { type Migration, Migrator } from "kysely/migration";
import { initial } from "./migrations/0001-initial.ts";
import { promptAudioTokens } from "./migrations/0002-prompt-audio-tokens.ts";

/** Every change of the schema, in order. What has been released is never edited, only added to. */
export const MIGRATIONS: Readonly<Record<string, Migration>> = {
  "0001-initial": initial,
  "0002-prompt-audio-tokens": promptAudioTokens,
};

/**
 * Brings a database up to the schema of this version, in one transaction: all of it, or nothing when a step fails.
 * Processes that start together do it one after the other.
 * @throws what the failed step threw, or that the database is of a newer version.
 */
export async function migrate<Schema>(db: Kysely<Schema>, migrations = MIGRATIONS): Promise<void> {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: () => Promise.resolve({ ...migrations }) },
    migrationTableName: "sluice_migrations",
    migrationLockTableName: "sluice_migrations_lock",
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}
