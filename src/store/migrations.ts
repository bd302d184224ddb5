import type { Kysely } from "kysely";
import { type Migration, Migrator } from "kysely/migration";
import { keys } from "./migrations/0001-keys.ts";
import { ledger } from "./migrations/0002-ledger.ts";
import { dailyRollups } from "./migrations/0003-daily-rollups.ts";
import { byok } from "./migrations/0004-byok.ts";
import { requestsByKey } from "./migrations/0005-requests-by-key.ts";
import { settlement } from "./migrations/0006-settlement.ts";

/** Every change of the schema, in order. What has been released is never edited, only added to. */
export const MIGRATIONS: Readonly<Record<string, Migration>> = {
  "0001-keys": keys,
  "0002-ledger": ledger,
  "0003-daily-rollups": dailyRollups,
  "0004-byok": byok,
  "0005-requests-by-key": requestsByKey,
  "0006-settlement": settlement,
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
