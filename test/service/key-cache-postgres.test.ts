import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { KeyCache } from "../../src/auth/key-cache.ts";
import { newKeySchema } from "../../src/keys/key-input.ts";
import { digestSecret } from "../../src/key-secret.ts";
import { KeyService } from "../../src/keys/key-service.ts";
import { createKeySource } from "../../src/keys/key-source.ts";
import { keyRestoreContract } from "../auth/key-restore-contract.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { waitUntil, waitFor } from "../support/wait.ts";

const BY = { actor: "cli", source: "somebody@somewhere" };
let postgres: Postgres;

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);

afterAll(() => postgres.close());

/**
 * Starts a replica with its own connection, service and cache. `seen` has the number of notifications from the database
 * and the health reports of the cache.
 */
async function startReplica(url: string) {
  const database = await openTestDatabase(url);
  const source = createKeySource(database, url);
  const seen = { notifications: 0, health: [] as boolean[] };
  const cache = new KeyCache({
    source: {
      ...source,
      listen: (changed) =>
        source.listen(() => {
          seen.notifications++;
          changed();
        }),
    },
    graceMs: 60_000,
    onHealth: (healthy) => seen.health.push(healthy),
  });
  await cache.start();
  onTestFinished(() => cache.stop());
  const find = async (secret: string) => cache.find(digestSecret(secret));
  await waitUntil(() => seen.notifications > 0, "the replica to listen");
  /** Looks up a key until the cache stores the key. The cache does not store a key that it reads during a notification. */
  const remember = (secret: string) =>
    waitUntil(
      async () => (await find(secret)) && !(cache.find(digestSecret(secret)) instanceof Promise),
      "the key",
    );
  return { service: new KeyService(database), find, remember, seen };
}

test("when the database notifies a replica, the replica rejects a key that another replica has revoked", async () => {
  const url = await postgres.createDatabase();
  const [a, b] = [await startReplica(url), await startReplica(url)];
  const { secret } = await a.service.create(newKeySchema.parse({ name: "team" }), BY);
  await b.remember(secret);
  const before = b.seen.notifications;
  await a.service.revoke("team", BY);
  await waitUntil(() => b.seen.notifications > before, "the other replica to be notified");
  await waitUntil(async () => !(await b.find(secret)), "the key to be rejected");
  expect(b.seen.health).toEqual([]);
});

test("known keys work while the database is down, and notifications resume when the database recovers", async () => {
  const url = await postgres.createDatabase();
  const [a, b] = [await startReplica(url), await startReplica(url)];
  const { secret } = await a.service.create(newKeySchema.parse({ name: "team" }), BY);
  await b.remember(secret);
  await postgres.kill();
  await waitUntil(() => b.seen.health.length === 1, "the reported failure", 10_000);
  expect(await b.find(secret)).toMatchObject({ name: "team" });
  await expect(b.find("sk-unknown")).rejects.toMatchObject({ code: "store_unavailable", status: 503 });
  const notifications = b.seen.notifications;
  await postgres.start();
  await waitUntil(() => b.seen.notifications > notifications, "the replica to listen again", 20_000);
  await waitUntil(() => b.seen.health.at(-1) === true, "the cache to be healthy", 10_000);
  expect(b.seen.health).toEqual([false, true]);
  await a.service.revoke("team", BY);
  await waitUntil(async () => !(await b.find(secret)), "the key to be rejected");
}, 60_000);

test("when a connection is lost within a transaction, only that transaction fails", async () => {
  const database = await openTestDatabase(await postgres.createDatabase());
  const begun = Promise.withResolvers<void>();
  const killed = Promise.withResolvers<void>();
  const transaction = database.kysely.transaction().execute(async (db) => {
    await db.selectFrom("keys").selectAll().execute();
    begun.resolve();
    await killed.promise;
    await db.selectFrom("keys").selectAll().execute();
  });
  await waitFor(begun.promise, "the transaction to begin");
  await postgres.kill();
  await waitUntil(async () => !(await database.isReachable()), "the database to be unreachable");
  killed.resolve();
  await expect(transaction).rejects.toThrow(/connection|terminat/i);
  await postgres.start();
  await waitUntil(() => database.isReachable(), "the database to be reachable", 10_000);
}, 60_000);

keyRestoreContract(async () => openTestDatabase(await postgres.createDatabase()));
