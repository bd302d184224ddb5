import { UNLIMITED } from "../../src/limits/limit-settings.ts";
import type * as NodeCrypto from "node:crypto";
import { expect, test, vi } from "vitest";
import type { KeyStore } from "../../src/auth/key-store.ts";
import { NO_ALIASES } from "../../src/request/model-aliases.ts";
import { createSecret, digestSecret } from "../../src/key-secret.ts";
import { CALLER_KEY } from "../support/gateway.ts";
import { waitUntil } from "../support/wait.ts";
import { ACTOR, createKeyInput, startCache } from "../support/key-cache.ts";
import { startLoginGateway } from "../support/login-gateway.ts";

const LOGINS_MAX = 5;
const CONCURRENT_MAX = 4;
const LIMITED = { RATE_LIMIT_MAX: String(LOGINS_MAX) };

const digests = vi.hoisted(() => ({ made: 0 }));
vi.mock("node:crypto", async (original) => {
  const crypto = await original<typeof NodeCrypto>();
  const hash = (...args: Parameters<typeof crypto.hash>): unknown => {
    digests.made++;
    return crypto.hash(...args);
  };
  return { ...crypto, hash };
});

/** Starts a gateway with a key cache over SQLite. The test counts the look-ups and the digests. */
async function start(env: Record<string, string | undefined> = LIMITED) {
  const cache = await startCache();
  const gateway = await startLoginGateway(cache.cache, env);
  const exceedLimit = async (): Promise<void> => {
    for (let sent = 0; sent <= LOGINS_MAX; sent++) await gateway.requestStatus(createSecret());
  };
  return { ...cache, ...gateway, exceedLimit };
}

const repeat = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);

test("over the login limit, an invented key of any form causes neither a look-up nor a digest", async () => {
  const { requestStatus, exceedLimit, state } = await start();
  await exceedLimit();
  const before = [state.lookUps, digests.made];
  const invented = ["sk-invented", "sk-or-v1-invented", createSecret(), createSecret(), "sk-slc-mistyped"];
  for (const secret of invented) expect(await requestStatus(secret)).toBe(429);
  expect([state.lookUps, digests.made]).toEqual(before);
  expect(state.lookUps).toBe(LOGINS_MAX + 1);
});

test("over the login limit of an address, keys that were valid before stay valid, even after they change", async () => {
  const { requestStatus, exceedLimit, service, state } = await start();
  const { secret } = await service.create(createKeyInput("team"), ACTOR);
  const unseen = await service.create(createKeyInput("unseen"), ACTOR);
  expect(await requestStatus(secret)).toBe(200);
  await exceedLimit();
  expect([await requestStatus(CALLER_KEY), await requestStatus(secret)]).toEqual([200, 200]);
  expect(await requestStatus(unseen.secret)).toBe(429);
  const before = state.lookUps;
  await service.update("team", { models: null, metadata: { note: "changed" } }, ACTOR);
  state.changed();
  await waitUntil(
    async () => (await requestStatus(secret)) === 200 && state.lookUps > before,
    "the new look-up",
  );
});

test("a revoked key is refused, and causes no digest after its first refusal", async () => {
  const { requestStatus, exceedLimit, service, state } = await start();
  const { secret } = await service.create(createKeyInput("team"), ACTOR);
  expect(await requestStatus(secret)).toBe(200);
  await exceedLimit();
  await service.revoke("team", ACTOR);
  state.changed();
  await waitUntil(async () => (await requestStatus(secret)) === 429, "the key to end");
  const before = [state.lookUps, digests.made];
  for (let sent = 0; sent < 5; sent++) expect(await requestStatus(secret)).toBe(429);
  expect([state.lookUps, digests.made]).toEqual(before);
});

test("over the login limit, a key that is configured by its digest is valid although its secret was never used", async () => {
  const { requestStatus, exceedLimit } = await start({
    ...LIMITED,
    GATEWAY_API_KEYS: `team:sha256=${digestSecret("sk-by-digest").toString("hex")}`,
  });
  await exceedLimit();
  expect(await requestStatus("sk-by-digest")).toBe(200);
  const before = digests.made;
  expect(await requestStatus("sk-invented")).toBe(429);
  expect(digests.made).toBe(before);
});

/** Creates a key store that finds these secrets and counts its look-ups. Each look-up takes 2 ms. */
function createCountingStore(secrets: readonly string[] = []) {
  const names = new Map(
    secrets.map((secret, index) => [digestSecret(secret).toString("hex"), `key-${index}`]),
  );
  const counts = { lookUps: 0, running: 0, mostRunning: 0 };
  const keys: KeyStore = {
    find: (digest, scheduleLookUp = (lookUp) => lookUp()) =>
      scheduleLookUp(async () => {
        counts.lookUps++;
        counts.mostRunning = Math.max(counts.mostRunning, ++counts.running);
        await new Promise((resolve) => setTimeout(resolve, 2));
        counts.running--;
        const name = names.get(digest.toString("hex"));
        return name === undefined
          ? undefined
          : {
              id: name,
              name,
              role: "caller",
              models: null,
              aliases: NO_ALIASES,
              onDisconnect: "cancel",
              ...UNLIMITED,
            };
      }),
  };
  return { keys, counts };
}

test("a burst of invented keys causes few more look-ups than the limit allows, at most four at once", async () => {
  const { keys, counts } = createCountingStore();
  const { requestStatus } = await startLoginGateway(keys, LIMITED);
  const statuses = await Promise.all(repeat(300, () => requestStatus(createSecret())));
  expect(statuses.filter((status) => status === 401).length).toBe(LOGINS_MAX);
  expect(statuses.filter((status) => status === 429).length).toBe(300 - LOGINS_MAX);
  expect(counts.lookUps).toBeLessThanOrEqual(LOGINS_MAX + CONCURRENT_MAX);
  expect(counts.mostRunning).toBeLessThanOrEqual(CONCURRENT_MAX);
});

test("a burst of invented keys from many addresses causes at most four concurrent look-ups", async () => {
  const { keys, counts } = createCountingStore();
  const { requestStatus } = await startLoginGateway(keys, { ...LIMITED, TRUST_PROXY: "loopback" });
  const statuses = await Promise.all(
    Array.from({ length: 200 }, (_, index) => requestStatus(createSecret(), `198.51.100.${index}`)),
  );
  expect(new Set(statuses)).toEqual(new Set([401]));
  expect(counts.lookUps).toBe(200);
  expect(counts.mostRunning).toBeLessThanOrEqual(CONCURRENT_MAX);
});

test("accepts a hundred valid keys from one address while the key cache is empty", async () => {
  const secrets = repeat(100, createSecret);
  const { keys, counts } = createCountingStore(secrets);
  const { requestStatus } = await startLoginGateway(keys, { RATE_LIMIT_MAX: "1" });
  const statuses = await Promise.all(secrets.map((secret) => requestStatus(secret)));
  expect(statuses).toEqual(secrets.map(() => 200));
  expect(counts.lookUps).toBe(100);
  expect(counts.mostRunning).toBeLessThanOrEqual(CONCURRENT_MAX);
});

test("with ALLOW_ANONYMOUS, the gateway never looks up a text that cannot be a stored key", async () => {
  const { requestStatus, state, exceedLimit } = await start({
    RATE_LIMIT_MAX: "100",
    ALLOW_ANONYMOUS: "true",
  });
  for (const secret of ["sk-anything", "none", "sk-or-v1-x"]) expect(await requestStatus(secret)).toBe(200);
  expect(state.lookUps).toBe(0);
  await exceedLimit();
  expect(await requestStatus("sk-anything")).toBe(200);
});
