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
}, 30_000);

afterAll(() => postgres.close());

/** A replica: a connection, a service and a cache of its own. `told` counts what the database has told of. */
async function startReplica(url: string) {
  const database = await openTestDatabase(url);
  const source = createKeySource(database, url);
  const seen = { told: 0, health: [] as boolean[] };
  const cache = new KeyCache({
    source: {
      ...source,
      listen: (changed) =>
        source.listen(() => {
          seen.told++;
          changed();
        }),
    },
    graceMs: 60_000,
    onHealth: (healthy) => seen.health.push(healthy),
  });
  await cache.start();
  onTestFinished(() => cache.stop());
  const find = async (secret: string) => cache.find(digestSecret(secret));
  await waitUntil(() => seen.told > 0, "the replica to listen");
  /** Finds a key until it is remembered: what is read while a change is heard of is not. */
  const remember = (secret: string) =>
    waitUntil(
      async () => (await find(secret)) && !(cache.find(digestSecret(secret)) instanceof Promise),
      "the key",
    );
  return { service: new KeyService(database), find, remember, seen };
}

test("a key that is revoked through one replica ends in the other, which the database tells of it", async () => {
  const url = await postgres.createDatabase();
  const [a, b] = [await startReplica(url), await startReplica(url)];
  const { secret } = await a.service.create(newKeySchema.parse({ name: "team" }), BY);
  await b.remember(secret);
  const before = b.seen.told;
  await a.service.revoke("team", BY);
  await waitUntil(() => b.seen.told > before, "the other replica to be told");
  await waitUntil(async () => !(await b.find(secret)), "the key to end");
  expect(b.seen.health).toEqual([]);
});

test("known keys outlive a database that is killed, and changes are heard of again when it is back", async () => {
  const url = await postgres.createDatabase();
  const [a, b] = [await startReplica(url), await startReplica(url)];
  const { secret } = await a.service.create(newKeySchema.parse({ name: "team" }), BY);
  await b.remember(secret);
  await postgres.kill();
  await waitUntil(() => b.seen.health.length === 1, "the failure to be told of", 10_000);
  expect(await b.find(secret)).toMatchObject({ name: "team" });
  await expect(b.find("sk-unknown")).rejects.toMatchObject({ code: "store_unavailable", status: 503 });
  const told = b.seen.told;
  await postgres.start();
  await waitUntil(() => b.seen.told > told, "the replica to listen again", 20_000);
  await waitUntil(() => b.seen.health.at(-1) === true, "its health", 10_000);
  expect(b.seen.health).toEqual([false, true]);
  await a.service.revoke("team", BY);
  await waitUntil(async () => !(await b.find(secret)), "the key to end");
}, 60_000);

test("a connection that is lost between two statements of a transaction fails the transaction alone", async () => {
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
  await waitUntil(async () => !(await database.isReachable()), "the database to be gone");
  killed.resolve();
  await expect(transaction).rejects.toThrow(/connection|terminat/i);
  await postgres.start();
  await waitUntil(() => database.isReachable(), "the database to answer again", 10_000);
}, 30_000);

keyRestoreContract(async () => openTestDatabase(await postgres.createDatabase()));
