import type * as NodeCrypto from "node:crypto";
import { expect, test, vi } from "vitest";
import { parseKeyList } from "../../src/config/gateway-api-keys.ts";
import { digestSecret } from "../../src/key-secret.ts";
import { createStaticKeyStore } from "../../src/auth/key-store.ts";
import { ACTOR, createKeyInput, startCache } from "../support/key-cache.ts";

const compared = vi.hoisted(() => [] as Buffer[]);
vi.mock("node:crypto", async (original) => {
  const crypto = await original<typeof NodeCrypto>();
  return {
    ...crypto,
    timingSafeEqual: (a: NodeJS.ArrayBufferView, b: NodeJS.ArrayBufferView) => {
      compared.push(Buffer.from(b.buffer, b.byteOffset, b.byteLength));
      return crypto.timingSafeEqual(a, b);
    },
  };
});

test("compares the digests of secrets in constant time, for configured and for stored keys", async () => {
  const digest = digestSecret("sk-of-the-environment");
  const { entries } = parseKeyList(["team:sk-of-the-environment"]);
  expect(createStaticKeyStore(entries).find(digest)).toMatchObject({ name: "team" });
  expect(compared.splice(0)).toContainEqual(digest);
  const { service, find } = await startCache();
  const { secret } = await service.create(createKeyInput("bob"), ACTOR);
  for (let attempt = 0; attempt < 2; attempt++) {
    expect(await find(secret)).toMatchObject({ name: "bob" });
    expect(compared.splice(0)).toContainEqual(digestSecret(secret));
  }
});
