import { onTestFinished } from "vitest";
import type { Actor } from "../../src/keys/managed-key.ts";
import { KeyCache, type KeySource } from "../../src/auth/key-cache.ts";
import { newKeySchema } from "../../src/keys/key-input.ts";
import { digestSecret } from "../../src/key-secret.ts";
import { KeyService } from "../../src/keys/key-service.ts";
import { createKeySource } from "../../src/keys/key-source.ts";
import { openTestDatabase } from "./test-database.ts";
import { waitUntil } from "./wait.ts";

/** Who changes keys here. */
export const ACTOR: Actor = { actor: "cli", source: "somebody@somewhere" };
/** What the clock of a cache says at first. */
export const CLOCK_START = 1_800_000_000_000;
/** A new key of this name, and nothing else. */
export const createKeyInput = (name: string) => newKeySchema.parse({ name });

/** A cache over SQLite whose source can be made to fail, asked how often it was asked, and told to tell of changes. */
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
  const ask = async <T>(answer: () => Promise<T>): Promise<T> => {
    if (state.down) throw new Error("down");
    return answer();
  };
  const source: KeySource = {
    findByDigest(digest) {
      state.lookUps++;
      return ask(() => real.findByDigest(digest));
    },
    listChangedSince: (revision) => ask(() => real.listChangedSince(revision)),
    readHistory: (revision) => ask(() => real.readHistory(revision)),
    async saveLastUsed(usedAt) {
      state.saves++;
      await state.beforeSave;
      return ask(() => real.saveLastUsed(usedAt));
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
  /** Finds a key until it is remembered: what is read while a change is heard of is not. */
  const remember = (secret: string) =>
    waitUntil(
      async () => (await find(secret)) && !(cache.find(digestSecret(secret)) instanceof Promise),
      "the key",
    );
  const service = new KeyService(database, () => clock.now);
  return { service, cache, find, remember, state, health, clock };
}
