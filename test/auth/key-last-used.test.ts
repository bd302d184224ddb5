import { expect, onTestFinished, test } from "vitest";
import { waitUntil } from "../support/wait.ts";
import { ACTOR, createKeyInput, CLOCK_START, startCache } from "../support/key-cache.ts";

test("writes a key's time of last use when the cache stops", async () => {
  const { service, cache, find, clock } = await startCache();
  const { secret } = await service.create(createKeyInput("used"), ACTOR);
  await service.create(createKeyInput("unused"), ACTOR);
  clock.now = CLOCK_START + 5;
  await find(secret);
  await cache.stop();
  expect((await service.get("used")).lastUsedAt).toBe(CLOCK_START + 5);
  expect((await service.get("unused")).lastUsedAt).toBeNull();
});

test("retries a failed write of a key's time of last use", async () => {
  const { service, cache, find, remember, state, clock } = await startCache();
  const { key, secret } = await service.create(createKeyInput("team"), ACTOR);
  await remember(secret);
  clock.now = CLOCK_START + 5;
  await find(secret);
  state.down = true;
  await cache.stop();
  expect((await service.get(key.id)).lastUsedAt).not.toBe(CLOCK_START + 5);
  state.down = false;
  await cache.stop();
  expect((await service.get(key.id)).lastUsedAt).toBe(CLOCK_START + 5);
});

test("notices the revocation of a key while a write to the row of another key hangs", async () => {
  const { service, find, remember, state } = await startCache();
  const stuck = Promise.withResolvers<void>();
  onTestFinished(() => stuck.resolve());
  state.beforeSave = stuck.promise;
  const used = await service.create(createKeyInput("used"), ACTOR);
  const revoked = await service.create(createKeyInput("revoked"), ACTOR);
  await remember(used.secret);
  await remember(revoked.secret);
  await waitUntil(() => state.saves > 0, "the time of last use to be written");
  await service.revoke("revoked", ACTOR);
  await waitUntil(async () => !(await find(revoked.secret)), "the key to be refused");
  expect(state.saves).toBe(1);
});
