import { expect, onTestFinished, test } from "vitest";
import { type CachedKey, KeyCache, type KeyHistory, type KeySource } from "../../src/auth/key-cache.ts";
import { waitUntil } from "../support/wait.ts";

const REMEMBERED = 10_000;
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

test("no more than ten thousand keys are remembered, and what was used last stays", async () => {
  const asked: string[] = [];
  const cache = await start({
    findByDigest(hex) {
      asked.push(hex);
      return Promise.resolve(keyOf(hex));
    },
  });
  for (let index = 0; index < REMEMBERED; index++) await cache.find(digest(index));
  await cache.find(digest(0));
  await cache.find(digest(REMEMBERED));
  expect(asked).toHaveLength(REMEMBERED + 1);
  await cache.find(digest(0));
  expect(asked).toHaveLength(REMEMBERED + 1);
  await cache.find(digest(1));
  expect(asked).toHaveLength(REMEMBERED + 2);
});

/** A source that has no key until `change` creates them all, and whose changes a cache hears of by polling. */
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

test("a digest that belongs to no key is looked up once until keys change, and then found within two seconds", async () => {
  const { source, asked, change } = emptySource();
  const cache = await start(source);
  for (let count = 0; count < 5; count++) expect(await cache.find(digest(1))).toBeUndefined();
  expect(cache.find(digest(1))).toBeUndefined();
  expect(asked.length).toBe(1);
  change();
  await waitUntil(() => cache.find(digest(1)), "the new key", 2_000);
});

test("a digest that belonged to no key is looked up again when changes cannot be followed", async () => {
  const { source, asked, fail, change } = emptySource();
  const cache = await start(source);
  expect(await cache.find(digest(1))).toBeUndefined();
  fail();
  change();
  await waitUntil(() => cache.find(digest(1)), "the new key", 3_000);
  expect(asked.length).toBe(2);
});

test("no more than ten thousand digests that belong to no key are remembered", async () => {
  const { source, asked } = emptySource();
  const cache = await start(source);
  for (let index = 0; index <= REMEMBERED; index++) await cache.find(digest(index));
  expect(asked.length).toBe(REMEMBERED + 1);
  await cache.find(digest(REMEMBERED));
  expect(asked.length).toBe(REMEMBERED + 1);
  await cache.find(digest(0));
  expect(asked.length).toBe(REMEMBERED + 2);
});

test("a key that was looked up while the same look-up waited for its turn is not looked up again", async () => {
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

test("no more than a thousand look-ups are under way, and one more is refused", async () => {
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

test("what was read before a change was heard of is not remembered", async () => {
  const first = Promise.withResolvers<CachedKey>();
  let lookUps = 0;
  let changes = 1;
  let changed = (): void => {};
  const heard = Promise.withResolvers<void>();
  const cache = await start({
    findByDigest: (hex) =>
      lookUps++ === 0 ? first.promise : Promise.resolve({ ...keyOf(hex), validUntil: 0 }),
    readHistory: (revision) =>
      Promise.resolve({ ...historyOf(changes), lastChangeIdBefore: String(revision || 1) }),
    listChangedSince(revision) {
      setImmediate(heard.resolve);
      return Promise.resolve(revision < 2 ? [keyOf(digest(7).toString("hex")).key.id] : []);
    },
    listen(told) {
      changed = told;
      return () => {};
    },
  });
  const found = cache.find(digest(7));
  changes = 2;
  changed();
  await heard.promise;
  first.resolve(keyOf(digest(7).toString("hex")));
  await found;
  expect(await cache.find(digest(7))).toBeUndefined();
  expect(lookUps).toBe(2);
});

test("before the keys could be opened a look-up is refused, and not answered with no key", async () => {
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
