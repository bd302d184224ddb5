import { Client } from "pg";
import type { CachedKey, KeyHistory, KeySource } from "../auth/key-cache.ts";
import type { Database } from "../store/database.ts";
import { formatAuditIdPrefix, KEY_CHANNEL, type KeyRow } from "./key-rows.ts";
import { toManagedKey } from "./managed-key.ts";

const LISTEN_AGAIN_MS = 1_000;
const CONNECT_TIMEOUT_MS = 3_000;

/** Creates what a cache of keys needs of a database. @param databaseUrl of PostgreSQL, which tells of changes. */
export function createKeySource(database: Database, databaseUrl: string | undefined): KeySource {
  return {
    findByDigest: (digest) => findByDigest(database, digest),
    listChangedSince: (revision) => listChangedSince(database, revision),
    readHistory: (revision) => readHistory(database, revision),
    saveLastUsed: (usedAt) => saveLastUsed(database, usedAt),
    listen: (changed) => listenForChanges(databaseUrl, changed),
  };
}

/** Finds the key with this secret, now or before its last rotation. @param digest as 64 hexadecimal digits. */
async function findByDigest({ kysely }: Database, digest: string): Promise<CachedKey | undefined> {
  const row = await kysely
    .selectFrom("keys")
    .selectAll()
    .where((eb) => eb.or([eb("digest", "=", digest), eb("previous_digest", "=", digest)]))
    .executeTakeFirst();
  return row && toCachedKey(row);
}

/** Converts a row to what the authentication of requests needs of it. */
function toCachedKey(row: KeyRow): CachedKey {
  const key = toManagedKey(row);
  const { id, name, role, models, onDisconnect } = key;
  return {
    key: { id, name, role, models, onDisconnect },
    digest: Buffer.from(row.digest, "hex"),
    previousDigest: row.previous_digest === null ? undefined : Buffer.from(row.previous_digest, "hex"),
    previousValidUntil: row.previous_until ?? 0,
    validUntil: key.disabled || key.revokedAt !== null ? 0 : (key.expiresAt ?? Infinity),
  };
}

/** Lists the ids of keys that have changed since a revision. */
async function listChangedSince({ kysely }: Database, revision: number): Promise<string[]> {
  const rows = await kysely.selectFrom("keys").select("id").where("revision", ">", revision).execute();
  return rows.map(({ id }) => id);
}

/** Reads what changed keys last, of all and up to a revision: one statement, so that it is true of one moment. */
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

/** Writes when keys were last used. @param usedAt ids to ms since 1970. */
async function saveLastUsed({ kysely }: Database, usedAt: ReadonlyMap<string, number>): Promise<void> {
  await kysely.transaction().execute(async (transaction) => {
    // In the order of their ids: replicas that write the same rows must not wait for each other in a circle.
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
 * Listens for changes of keys that other replicas make, where the database can tell of them.
 * @param changed called for every change, and whenever changes may have been missed.
 * @returns ends it.
 */
function listenForChanges(databaseUrl: string | undefined, changed: () => void): () => void {
  if (databaseUrl === undefined) return () => {};
  const listening = new AbortController();
  void listen(databaseUrl, changed, listening.signal);
  return () => listening.abort();
}

async function listen(connectionString: string, changed: () => void, stopped: AbortSignal): Promise<void> {
  const client = new Client({
    connectionString,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    application_name: "sluice-keys",
  });
  let over = false;
  const again = (): void => {
    if (over) return;
    over = true;
    stopped.removeEventListener("abort", again);
    client.end().catch(() => {});
    if (!stopped.aborted)
      setTimeout(() => void listen(connectionString, changed, stopped), LISTEN_AGAIN_MS).unref();
  };
  client.on("error", () => {});
  client.once("end", again);
  client.on("notification", changed);
  stopped.addEventListener("abort", again);
  try {
    await client.connect();
    await client.query(`listen ${KEY_CHANNEL}`);
    changed();
  } catch {
    // Polling sees what is missed meanwhile.
    again();
  }
}
