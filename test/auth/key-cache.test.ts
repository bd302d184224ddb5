import { expect, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { digestSecret } from "../../src/key-secret.ts";
import { waitUntil } from "../support/wait.ts";
import { ACTOR, createKeyInput, CLOCK_START, startCache } from "../support/key-cache.ts";

test("concurrent requests share one look-up of a key, and later ones find it synchronously", async () => {
  const { service, cache, find, remember, state } = await startCache();
  const { key, secret } = await service.create(createKeyInput("team"), ACTOR);
  const found = await Promise.all(Array.from({ length: 10 }, () => find(secret)));
  expect(found.map((one) => one?.id)).toEqual(Array(10).fill(key.id));
  expect(state.lookUps).toBe(1);
  await remember(secret);
  const { lookUps } = state;
  expect(cache.find(digestSecret(secret))).toMatchObject({ id: key.id, name: "team", models: null });
  expect(state.lookUps).toBe(lookUps);
});

test("finds no key for an unknown secret, and finds a key that is created later", async () => {
  const { service, find } = await startCache();
  for (const secret of ["", "' OR '1'='1", "x".repeat(1_000_000), "ключ"])
    expect(await find(secret)).toBeUndefined();
  const { secret } = await service.create(createKeyInput("team"), ACTOR);
  expect(await find(secret)).toMatchObject({ name: "team" });
});

test("does not find a revoked, disabled or expired key, and finds a key that is enabled again", async () => {
  const { service, find, clock } = await startCache();
  const keys = {
    a: await service.create(createKeyInput("a"), ACTOR),
    b: await service.create(createKeyInput("b"), ACTOR),
  };
  const [a, b] = [keys.a.secret, keys.b.secret];
  expect([await find(a), await find(b)]).toEqual([
    expect.objectContaining({ name: "a" }),
    expect.objectContaining({ name: "b" }),
  ]);
  await service.revoke("a", ACTOR);
  await service.update("b", { disabled: true }, ACTOR);
  await waitUntil(async () => !(await find(a)) && !(await find(b)), "both keys to be refused");
  await service.update("b", { disabled: false, expiresAt: CLOCK_START + 10 }, ACTOR);
  await waitUntil(() => find(b), "the key to be valid again");
  clock.now = CLOCK_START + 9;
  expect(await find(b)).toMatchObject({ name: "b" });
  clock.now = CLOCK_START + 10;
  expect(await find(b)).toBeUndefined();
  expect(await find(a)).toBeUndefined();
});

test("finds a rotated key by its new secret at once, and by its old secret until the grace period ends", async () => {
  const { service, find, state, clock } = await startCache();
  const old = await service.create(createKeyInput("team"), ACTOR);
  expect(await find(old.secret)).toMatchObject({ name: "team" });
  const { secret } = await service.rotate("team", { graceMs: 100 }, ACTOR);
  expect(await find(secret)).toMatchObject({ name: "team" });
  state.changed();
  await waitUntil(async () => {
    const before = state.lookUps;
    await find(old.secret);
    return state.lookUps > before;
  }, "the poll");
  clock.now = CLOCK_START + 99;
  expect(await find(old.secret)).toMatchObject({ name: "team" });
  clock.now = CLOCK_START + 100;
  expect(await find(old.secret)).toBeUndefined();
  expect(await find(secret)).toMatchObject({ name: "team" });
});

test("a rotation without a grace period invalidates the old secret", async () => {
  const { service, find } = await startCache();
  const { secret } = await service.create(createKeyInput("team"), ACTOR);
  expect(await find(secret)).toMatchObject({ name: "team" });
  await service.rotate("team", { graceMs: 0 }, ACTOR);
  await waitUntil(async () => !(await find(secret)), "the old secret to be refused");
});

test("finds cached keys and refuses other keys with 503 while the source fails, and reports the failure and the recovery once", async () => {
  const { service, find, remember, state, health } = await startCache();
  const known = await service.create(createKeyInput("known"), ACTOR);
  const other = await service.create(createKeyInput("other"), ACTOR);
  await remember(known.secret);
  state.down = true;
  for (let poll = 0; poll < 3; poll++) state.changed();
  await waitUntil(() => health.length > 0, "the failure");
  const refusal = await find(other.secret).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(GatewayError);
  expect(refusal).toMatchObject({ code: "store_unavailable", status: 503 });
  expect(await find(known.secret)).toMatchObject({ name: "known" });
  state.changed();
  await service.revoke("known", ACTOR);
  expect(await find(known.secret)).toMatchObject({ name: "known" });
  expect(health).toEqual([false]);
  state.down = false;
  await waitUntil(async () => !(await find(known.secret)), "the revocation that was missed");
  expect(health).toEqual([false, true]);
  expect(await find(other.secret)).toMatchObject({ name: "other" });
});

test("refuses a cached key with 503 when the source has failed for longer than the grace period", async () => {
  const { service, find, remember, state, health } = await startCache(0);
  const { secret } = await service.create(createKeyInput("team"), ACTOR);
  await remember(secret);
  state.down = true;
  const refused = async (): Promise<boolean> =>
    find(secret).then(
      () => false,
      (error: unknown) => error instanceof GatewayError && error.code === "store_unavailable",
    );
  await waitUntil(refused, "the grace period to end");
  state.down = false;
  await waitUntil(() => find(secret).catch(() => undefined), "the key to be valid again");
  expect(health).toEqual([false, true]);
});
