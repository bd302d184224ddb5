import { expect, onTestFinished, test } from "vitest";
import { until } from "../support/until.ts";
import { BY, input, NOW, startCache } from "../support/key-cache.ts";

test("when a key was last used is written when the cache stops", async () => {
  const { service, cache, find, clock } = await startCache();
  const { secret } = await service.create(input("used"), BY);
  await service.create(input("unused"), BY);
  clock.now = NOW + 5;
  await find(secret);
  await cache.stop();
  expect((await service.show("used")).lastUsedAt).toBe(NOW + 5);
  expect((await service.show("unused")).lastUsedAt).toBeNull();
});

test("when a key was last used is written once more when it could not be", async () => {
  const { service, cache, remember, state } = await startCache();
  const { key, secret } = await service.create(input("team"), BY);
  await remember(secret);
  state.down = true;
  await cache.stop();
  expect((await service.show(key.id)).lastUsedAt).toBeNull();
  state.down = false;
  await cache.stop();
  expect((await service.show(key.id)).lastUsedAt).toBe(NOW);
});

test("a revocation is heard of while the time of use of another key cannot be written", async () => {
  const { service, find, remember, state } = await startCache();
  const stuck = Promise.withResolvers<void>();
  onTestFinished(() => stuck.resolve());
  state.beforeTouch = stuck.promise;
  const used = await service.create(input("used"), BY);
  const revoked = await service.create(input("revoked"), BY);
  await remember(used.secret);
  await remember(revoked.secret);
  await until(() => state.touches > 0, "the time of use to be written");
  await service.revoke("revoked", BY);
  await until(async () => !(await find(revoked.secret)), "the key to end", 3_000);
  expect(state.touches).toBe(1);
});
