import { expect, onTestFinished, test } from "vitest";
import { type CachedKey, KeyCache, type KeyHistory, type KeySource } from "../../src/auth/key-cache.ts";
import { waitUntil } from "../support/wait.ts";

const CACHE_MAX = 10_000;
const LOOK_UPS_MAX = 1_000;

const keyOf = (digest: string): CachedKey => ({
  key: {
    id: `key_${digest.slice(0, 16)}`,
    name: digest.slice(0, 16),
    role: "caller",
    models: null,
    onDisconnect: "cancel",
  },
  digest: Buffer.from(digest, "hex"),
  previousDigest: undefined,
  previousValidUntil: 0,
  validUntil: Infinity,
});

const digest = (index: number): Buffer => {
  const bytes = Buffer.alloc(32);
  bytes.writeUInt32BE(index);
  return bytes;
};

const historyOf = (revision: number): KeyHistory => ({
  revision,
  lastChangeId: String(revision),
  lastChangeIdBefore: String(revision),
});

async function start(source: Partial<KeySource>): Promise<KeyCache> {
  const cache = new KeyCache({
    source: {
      findByDigest: (hex) => Promise.resolve(keyOf(hex)),
      listChangedSince: () => Promise.resolve([]),
      readHistory: () => Promise.resolve(historyOf(1)),
      saveLastUsed: () => Promise.resolve(),
      listen: () => () => {},
      ...source,
    },
    graceMs: 60_000,
    onHealth: () => {},
  });
  await cache.start();
  onTestFinished(() => cache.stop());
  return cache;
}

test("caches at most 10,000 keys, and keeps the most recently used", async () => {
  const asked: string[] = [];
  const cache = await start({
    findByDigest(hex) {
      asked.push(hex);
      return Promise.resolve(keyOf(hex));
    },
  });
  for (let index = 0; index < CACHE_MAX; index++) await cache.find(digest(index));
  await cache.find(digest(0));
  await cache.find(digest(CACHE_MAX));
  expect(asked).toHaveLength(CACHE_MAX + 1);
  await cache.find(digest(0));
  expect(asked).toHaveLength(CACHE_MAX + 1);
  await cache.find(digest(1));
  expect(asked).toHaveLength(CACHE_MAX + 2);
});

/** Creates a source without keys until `change` creates them all. The cache finds changes only by polling. */
function emptySource() {
  const asked: string[] = [];
  let revision = 1;
  let isDown = false;
  const source: Partial<KeySource> = {
    findByDigest(hex) {
      asked.push(hex);
      return Promise.resolve(revision > 1 ? keyOf(hex) : undefined);
    },
    readHistory: (since) =>
      isDown
        ? Promise.reject(new Error("down"))
        : Promise.resolve({ ...historyOf(revision), lastChangeIdBefore: String(since || 1) }),
  };
  return { source, asked, change: () => void revision++, fail: () => void (isDown = true) };
}

test("looks up an unknown digest once until keys change, and then finds it within 2 s", async () => {
  const { source, asked, change } = emptySource();
  const cache = await start(source);
  for (let count = 0; count < 5; count++) expect(await cache.find(digest(1))).toBeUndefined();
  expect(cache.find(digest(1))).toBeUndefined();
  expect(asked.length).toBe(1);
  change();
  await waitUntil(() => cache.find(digest(1)), "the new key", 2_000);
});

test("looks up an unknown digest again when the source cannot be polled", async () => {
  const { source, asked, fail, change } = emptySource();
  const cache = await start(source);
  expect(await cache.find(digest(1))).toBeUndefined();
  fail();
  change();
  await waitUntil(() => cache.find(digest(1)), "the new key", 3_000);
  expect(asked.length).toBe(2);
});

test("caches at most 10,000 unknown digests", async () => {
  const { source, asked } = emptySource();
  const cache = await start(source);
  for (let index = 0; index <= CACHE_MAX; index++) await cache.find(digest(index));
  expect(asked.length).toBe(CACHE_MAX + 1);
  await cache.find(digest(CACHE_MAX));
  expect(asked.length).toBe(CACHE_MAX + 1);
  await cache.find(digest(0));
  expect(asked.length).toBe(CACHE_MAX + 2);
});

test("does not repeat a look-up that has waited in the queue while the same key was found", async () => {
  const { source, asked, change } = emptySource();
  change();
  const cache = await start(source);
  const turns: (() => void)[] = [];
  const found = Array.from({ length: 3 }, () =>
    cache.find(digest(1), async (lookUp) => {
      await new Promise<void>((resolve) => turns.push(resolve));
      return lookUp();
    }),
  );
  for (const [index, turn] of turns.entries()) {
    turn();
    expect(await found[index]).toMatchObject({ role: "caller" });
  }
  expect(asked.length).toBe(1);
});

test("runs at most 1,000 look-ups at once, and refuses one more", async () => {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const cache = await start({ findByDigest: () => promise });
  const waiting = Array.from({ length: LOOK_UPS_MAX }, (_, index) =>
    Promise.resolve(cache.find(digest(index))),
  );
  await expect(async () => cache.find(digest(LOOK_UPS_MAX))).rejects.toMatchObject({
    code: "store_unavailable",
  });
  resolve(undefined);
  expect(await Promise.all(waiting)).toEqual(Array(LOOK_UPS_MAX).fill(undefined));
  expect(await cache.find(digest(LOOK_UPS_MAX))).toBeUndefined();
});

test("does not cache a key that was read before a change was noticed", async () => {
  const first = Promise.withResolvers<CachedKey>();
  let lookUps = 0;
  let changes = 1;
  let changed = (): void => {};
  const polled = Promise.withResolvers<void>();
  const cache = await start({
    findByDigest: (hex) =>
      lookUps++ === 0 ? first.promise : Promise.resolve({ ...keyOf(hex), validUntil: 0 }),
    readHistory: (revision) =>
      Promise.resolve({ ...historyOf(changes), lastChangeIdBefore: String(revision || 1) }),
    listChangedSince(revision) {
      setImmediate(polled.resolve);
      return Promise.resolve(revision < 2 ? [keyOf(digest(7).toString("hex")).key.id] : []);
    },
    listen(onChange) {
      changed = onChange;
      return () => {};
    },
  });
  const found = cache.find(digest(7));
  changes = 2;
  changed();
  await polled.promise;
  first.resolve(keyOf(digest(7).toString("hex")));
  await found;
  expect(await cache.find(digest(7))).toBeUndefined();
  expect(lookUps).toBe(2);
});

test("refuses a look-up with 503 before the keys have been opened, instead of finding no key", async () => {
  const cache = new KeyCache({
    source: {
      findByDigest: () => Promise.resolve(undefined),
      listChangedSince: () => Promise.resolve([]),
      readHistory: () => Promise.reject(new Error("down")),
      saveLastUsed: () => Promise.resolve(),
      listen: () => () => {},
    },
    graceMs: 60_000,
    onHealth: () => {},
  });
  await expect(cache.start()).rejects.toThrow("down");
  await expect(cache.find(digest(1))).rejects.toMatchObject({ status: 503 });
});
