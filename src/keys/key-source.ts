import { Client } from "pg";
import type { CachedKey } from "../auth/key-cache.ts";
import type { KeyHistory, KeySource } from "../auth/key-cache.ts";
import type { Database } from "../store/database.ts";
import { toCachedKey } from "./key-record.ts";
import { formatAuditIdPrefix, KEY_CHANNEL } from "./key-rows.ts";

const LISTEN_AGAIN_MS = 1_000;
const CONNECT_TIMEOUT_MS = 3_000;

/** What a cache of keys needs of a database. @param databaseUrl of PostgreSQL, which tells of changes. */
export function createKeySource(database: Database, databaseUrl: string | undefined): KeySource {
  return {
    findByDigest: (digest) => keyByDigest(database, digest),
    listChangedSince: (revision) => keysChangedSince(database, revision),
    readHistory: (revision) => keyHistory(database, revision),
    saveLastUsed: (usedAt) => touchKeys(database, usedAt),
    listen: (changed) => listenForKeys(databaseUrl, changed),
  };
}

/** The key with this secret, now or before its last rotation. @param digest as 64 hexadecimal digits. */
async function keyByDigest({ kysely }: Database, digest: string): Promise<CachedKey | undefined> {
  const row = await kysely
    .selectFrom("keys")
    .selectAll()
    .where((eb) => eb.or([eb("digest", "=", digest), eb("previous_digest", "=", digest)]))
    .executeTakeFirst();
  return row && toCachedKey(row);
}

/** Ids of the keys that have changed since a revision. */
async function keysChangedSince({ kysely }: Database, revision: number): Promise<string[]> {
  const rows = await kysely.selectFrom("keys").select("id").where("revision", ">", revision).execute();
  return rows.map(({ id }) => id);
}

/** What changed keys last, of all and up to a revision: one statement, so that it is true of one moment. */
async function keyHistory({ kysely }: Database, revision: number): Promise<KeyHistory> {
  return kysely
    .selectFrom("key_revision")
    .select((eb) => [
      "revision",
      eb
        .selectFrom("audit")
        .select((audit) => audit.fn.max<string>("audit.id").as("id"))
        .as("lastChange"),
      eb
        .selectFrom("audit")
        .select((audit) => audit.fn.max<string>("audit.id").as("id"))
        .where("id", "<", formatAuditIdPrefix(revision + 1))
        .as("lastChangeBefore"),
    ])
    .executeTakeFirstOrThrow();
}

/** Writes when keys were last used. @param usedAt ids to ms since 1970. */
async function touchKeys({ kysely }: Database, usedAt: ReadonlyMap<string, number>): Promise<void> {
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
function listenForKeys(databaseUrl: string | undefined, changed: () => void): () => void {
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
