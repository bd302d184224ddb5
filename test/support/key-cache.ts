import { onTestFinished } from "vitest";
import type { Actor } from "../../src/keys/managed-key.ts";
import { KeyCache, type KeySource } from "../../src/auth/key-cache.ts";
import { newKeySchema } from "../../src/keys/key-input.ts";
import { digestSecret } from "../../src/key-secret.ts";
import { KeyService } from "../../src/keys/key-service.ts";
import { createKeySource } from "../../src/keys/key-source.ts";
import { openTestDatabase } from "./test-database.ts";
import { waitUntil } from "./wait.ts";

/** The actor of all key changes in these tests. */
export const ACTOR: Actor = { actor: "cli", source: "somebody@somewhere" };
/** The initial time of a cache's clock. */
export const CLOCK_START = 1_800_000_000_000;
/** Creates the input of a new key that has only a name. */
export const createKeyInput = (name: string) => newKeySchema.parse({ name });

/**
 * Starts a cache over SQLite. The test controls the cache's source by `state`: `down` makes it fail, and `changed`
 * reports a change. `lookUps` and `saves` count calls.
 */
export async function startCache(graceMs = 60_000) {
  const database = await openTestDatabase();
  const clock = { now: CLOCK_START };
  const real = createKeySource(database, undefined);
  const state = {
    down: false,
    lookUps: 0,
    changed: (): void => {},
    beforeSave: Promise.resolve(),
    saves: 0,
  };
  const callUnlessDown = async <T>(call: () => Promise<T>): Promise<T> => {
    if (state.down) throw new Error("down");
    return call();
  };
  const source: KeySource = {
    findByDigest(digest) {
      state.lookUps++;
      return callUnlessDown(() => real.findByDigest(digest));
    },
    listChangedSince: (revision) => callUnlessDown(() => real.listChangedSince(revision)),
    readHistory: (revision) => callUnlessDown(() => real.readHistory(revision)),
    async saveLastUsed(usedAt) {
      state.saves++;
      await state.beforeSave;
      return callUnlessDown(() => real.saveLastUsed(usedAt));
    },
    listen(changed) {
      state.changed = changed;
      return () => {};
    },
  };
  const health: boolean[] = [];
  const cache = new KeyCache({
    source,
    graceMs,
    onHealth: (healthy) => health.push(healthy),
    now: () => clock.now,
  });
  await cache.start();
  onTestFinished(() => cache.stop());
  const find = async (secret: string) => cache.find(digestSecret(secret));
  /** Looks up a key until the cache stores it. The cache does not store a key that it reads during a notification. */
  const remember = (secret: string) =>
    waitUntil(
      async () => (await find(secret)) && !(cache.find(digestSecret(secret)) instanceof Promise),
      "the key",
    );
  const service = new KeyService(database, () => clock.now);
  return { service, cache, find, remember, state, health, clock };
}
