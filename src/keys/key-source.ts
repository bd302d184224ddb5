import type { CachedKey, KeyHistory, KeySource } from "../auth/key-cache.ts";
import type { Database } from "../store/database.ts";
import { formatAuditIdPrefix } from "./audit-rows.ts";
import { listenToChannel } from "../store/postgres-notifications.ts";
import { findKeyByDigest, KEY_CHANNEL, type KeyRow } from "./key-rows.ts";
import { toManagedKey } from "./managed-key.ts";
import { NO_ALIASES } from "../request/model-aliases.ts";

/**
 * Creates the source of a key cache.
 * @param databaseUrl URL of PostgreSQL, which sends notifications of changes; undefined for SQLite, which does not.
 */
export function createKeySource(database: Database, databaseUrl: string | undefined): KeySource {
  return {
    findByDigest: (digest) => findByDigest(database, digest),
    listChangedSince: (revision) => listChangedSince(database, revision),
    readHistory: (revision) => readHistory(database, revision),
    saveLastUsed: (usedAt) => saveLastUsed(database, usedAt),
    listen: (changed) => listenForChanges(databaseUrl, changed),
  };
}

async function findByDigest({ kysely }: Database, digest: string): Promise<CachedKey | undefined> {
  const row = await findKeyByDigest(kysely, digest);
  return row && toCachedKey(row);
}

/** Converts a row to the fields that authentication needs. */
function toCachedKey(row: KeyRow): CachedKey {
  const key = toManagedKey(row);
  const { id, name, role, models, onDisconnect, limits, limitsChangedAt, group, endUsers } = key;
  const { unboundedReservationNanodollars, blockedUntil } = key;
  const entries = Object.entries(key.aliases);
  // Most keys have no aliases, and up to 10,000 keys are cached.
  const aliases = entries.length === 0 ? NO_ALIASES : new Map(entries);
  return {
    key: {
      id,
      name,
      role,
      models,
      aliases,
      onDisconnect,
      limits,
      limitsChangedAt,
      group,
      endUsers,
      unboundedReservationNanodollars,
      blockedUntil,
    },
    digest: Buffer.from(row.digest, "hex"),
    previousDigest: row.previous_digest === null ? undefined : Buffer.from(row.previous_digest, "hex"),
    previousValidUntil: row.previous_until ?? 0,
    revision: row.revision,
    validUntil: key.disabled || key.revokedAt !== null ? 0 : (key.expiresAt ?? Infinity),
  };
}

/** Lists the ids of keys that have changed since a revision. */
async function listChangedSince({ kysely }: Database, revision: number): Promise<string[]> {
  const rows = await kysely.selectFrom("keys").select("id").where("revision", ">", revision).execute();
  return rows.map(({ id }) => id);
}

/** Reads the last change, and the last change up to a revision, in one statement and so in one consistent snapshot. */
async function readHistory({ kysely }: Database, revision: number): Promise<KeyHistory> {
  return kysely
    .selectFrom("key_revision")
    .select((eb) => [
      "revision",
      eb
        .selectFrom("audit")
        .select((audit) => audit.fn.max<string>("audit.id").as("id"))
        .as("lastChangeId"),
      eb
        .selectFrom("audit")
        .select((audit) => audit.fn.max<string>("audit.id").as("id"))
        .where("id", "<", formatAuditIdPrefix(revision + 1))
        .as("lastChangeIdBefore"),
    ])
    .executeTakeFirstOrThrow();
}

/** Saves when keys were last used. @param usedAt ms since 1970 by key id. */
async function saveLastUsed({ kysely }: Database, usedAt: ReadonlyMap<string, number>): Promise<void> {
  await kysely.transaction().execute(async (transaction) => {
    // The rows are updated in the order of ids: replicas that lock the same rows in different orders would deadlock.
    for (const [id, at] of [...usedAt].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      await transaction
        .updateTable("keys")
        .set({ last_used_at: at })
        .where("id", "=", id)
        .where((eb) => eb.or([eb("last_used_at", "is", null), eb("last_used_at", "<", at)]))
        .execute();
    }
  });
}

/**
 * Listens for changes of keys by other replicas, if the database sends notifications.
 * @param changed called for every change, and whenever changes may have been missed.
 * @returns a function that stops listening.
 */
function listenForChanges(databaseUrl: string | undefined, changed: () => void): () => void {
  if (databaseUrl === undefined) return () => {};
  // While the connection is lost, polling finds the changes.
  return listenToChannel(databaseUrl, {
    name: KEY_CHANNEL,
    applicationName: "sluice-keys",
    onNotification: changed,
    onConnected: changed,
  });
}
