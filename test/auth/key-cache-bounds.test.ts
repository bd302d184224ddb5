import { UNLIMITED } from "../../src/limits/limit-settings.ts";
import { expect, onTestFinished, test } from "vitest";
import { type CachedKey, KeyCache, type KeyHistory, type KeySource } from "../../src/auth/key-cache.ts";
import { NO_ALIASES } from "../../src/request/model-aliases.ts";
import { measureRunningMs, waitUntil } from "../support/wait.ts";

const CACHE_MAX = 10_000;
const LOOK_UPS_MAX = 1_000;

const createCachedKey = (digest: string): CachedKey => ({
  key: {
    id: `key_${digest.slice(0, 16)}`,
    name: digest.slice(0, 16),
    role: "caller",
    models: null,
    aliases: NO_ALIASES,
    onDisconnect: "cancel",
    ...UNLIMITED,
  },
  digest: Buffer.from(digest, "hex"),
  previousDigest: undefined,
  previousValidUntil: 0,
  validUntil: Infinity,
  revision: 1,
});

const digest = (index: number): Buffer => {
  const bytes = Buffer.alloc(32);
  bytes.writeUInt32BE(index);
  return bytes;
};

const createHistory = (revision: number): KeyHistory => ({
  revision,
  lastChangeId: String(revision),
  lastChangeIdBefore: String(revision),
});

async function start(source: Partial<KeySource>): Promise<KeyCache> {
  const cache = new KeyCache({
    source: {
      findByDigest: (hex) => Promise.resolve(createCachedKey(hex)),
      listChangedSince: () => Promise.resolve([]),
      readHistory: () => Promise.resolve(createHistory(1)),
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

test("caches at most 10,000 keys, and keeps the most recently used keys", async () => {
  const lookedUp: string[] = [];
  const cache = await start({
    findByDigest(hex) {
      lookedUp.push(hex);
      return Promise.resolve(createCachedKey(hex));
    },
  });
  for (let index = 0; index < CACHE_MAX; index++) await cache.find(digest(index));
  await cache.find(digest(0));
  await cache.find(digest(CACHE_MAX));
  expect(lookedUp).toHaveLength(CACHE_MAX + 1);
  await cache.find(digest(0));
  expect(lookedUp).toHaveLength(CACHE_MAX + 1);
  await cache.find(digest(1));
  expect(lookedUp).toHaveLength(CACHE_MAX + 2);
});

/** Creates a source that finds no key until `change` is called, and then finds any key. The cache must poll it for changes. */
function emptySource() {
  const lookedUp: string[] = [];
  let revision = 1;
  let isDown = false;
  const source: Partial<KeySource> = {
    findByDigest(hex) {
      lookedUp.push(hex);
      return Promise.resolve(revision > 1 ? createCachedKey(hex) : undefined);
    },
    readHistory: (since) =>
      isDown
        ? Promise.reject(new Error("down"))
        : Promise.resolve({ ...createHistory(revision), lastChangeIdBefore: String(since || 1) }),
  };
  return { source, lookedUp, change: () => void revision++, fail: () => void (isDown = true) };
}

test("looks up an unknown digest only once until keys change, and then finds the new key within 2 s", async () => {
  const { source, lookedUp, change } = emptySource();
  const cache = await start(source);
  for (let count = 0; count < 5; count++) expect(await cache.find(digest(1))).toBeUndefined();
  expect(cache.find(digest(1))).toBeUndefined();
  expect(lookedUp.length).toBe(1);
  change();
  expect(await measureRunningMs(waitUntil(() => cache.find(digest(1)), "the new key"))).toBeLessThan(2_000);
});

test("looks up an unknown digest again when the source cannot be polled", async () => {
  const { source, lookedUp, fail, change } = emptySource();
  const cache = await start(source);
  expect(await cache.find(digest(1))).toBeUndefined();
  fail();
  change();
  expect(await measureRunningMs(waitUntil(() => cache.find(digest(1)), "the new key"))).toBeLessThan(3_000);
  expect(lookedUp.length).toBe(2);
});

test("caches at most 10,000 unknown digests", async () => {
  const { source, lookedUp } = emptySource();
  const cache = await start(source);
  for (let index = 0; index <= CACHE_MAX; index++) await cache.find(digest(index));
  expect(lookedUp.length).toBe(CACHE_MAX + 1);
  await cache.find(digest(CACHE_MAX));
  expect(lookedUp.length).toBe(CACHE_MAX + 1);
  await cache.find(digest(0));
  expect(lookedUp.length).toBe(CACHE_MAX + 2);
});

test("does not execute a queued look-up if an earlier look-up has found the same key", async () => {
  const { source, lookedUp, change } = emptySource();
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
  expect(lookedUp.length).toBe(1);
});

test("runs at most 1,000 look-ups at once, and refuses another", async () => {
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

test("does not cache a key that was read before the cache noticed a change of it", async () => {
  const first = Promise.withResolvers<CachedKey>();
  let lookUps = 0;
  let changes = 1;
  let changed = (): void => {};
  const polled = Promise.withResolvers<void>();
  const cache = await start({
    findByDigest: (hex) =>
      lookUps++ === 0 ? first.promise : Promise.resolve({ ...createCachedKey(hex), validUntil: 0 }),
    readHistory: (revision) =>
      Promise.resolve({ ...createHistory(changes), lastChangeIdBefore: String(revision || 1) }),
    listChangedSince(revision) {
      setImmediate(polled.resolve);
      return Promise.resolve(revision < 2 ? [createCachedKey(digest(7).toString("hex")).key.id] : []);
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
  first.resolve(createCachedKey(digest(7).toString("hex")));
  await found;
  expect(await cache.find(digest(7))).toBeUndefined();
  expect(lookUps).toBe(2);
});

test("refuses a look-up with 503 if the cache could not start, instead of finding no key", async () => {
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
