import type { Kysely } from "kysely";
import { type Migration, Migrator } from "kysely/migration";
import { initial } from "./migrations/0001-initial.ts";
import { promptAudioTokens } from "./migrations/0002-prompt-audio-tokens.ts";
import { endpointAndSession } from "./migrations/0003-endpoint-and-session.ts";
import { keyAliases } from "./migrations/0004-key-aliases.ts";
import { generationIndex } from "./migrations/0005-generation-index.ts";
import { rollupsByEndpoint } from "./migrations/0006-rollups-by-endpoint.ts";
import { requestsBySession } from "./migrations/0007-requests-by-session.ts";
import { limits } from "./migrations/0008-limits.ts";
import { sessions } from "./migrations/0009-sessions.ts";
import { resultsAndLatencies } from "./migrations/0010-results-and-latencies.ts";

/** The table with the names of the schema changes that a database has. */
export const MIGRATION_TABLE = "sluice_migrations";

/** All schema changes, in order. Never edit a released migration; add a new one. */
export const MIGRATIONS: Readonly<Record<string, Migration>> = {
  "0001-initial": initial,
  "0002-prompt-audio-tokens": promptAudioTokens,
  "0003-endpoint-and-session": endpointAndSession,
  "0004-key-aliases": keyAliases,
  "0005-generation-index": generationIndex,
  "0006-rollups-by-endpoint": rollupsByEndpoint,
  "0007-requests-by-session": requestsBySession,
  "0008-limits": limits,
  "0009-sessions": sessions,
  "0010-results-and-latencies": resultsAndLatencies,
};

/**
 * Migrates a database to the schema of this version in one transaction. If a step fails, no change remains. Processes that
 * start at the same time migrate one after the other.
 * @throws the error of the failed step, or an error if the database has the schema of a newer version.
 */
export async function migrate<Schema>(db: Kysely<Schema>, migrations = MIGRATIONS): Promise<void> {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: () => Promise.resolve({ ...migrations }) },
    migrationTableName: MIGRATION_TABLE,
    migrationLockTableName: "sluice_migrations_lock",
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}
