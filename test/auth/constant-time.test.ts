import type * as NodeCrypto from "node:crypto";
import { expect, test, vi } from "vitest";
import { digestOf, parseKeyList } from "../../src/config/key-list.ts";
import { staticKeyStore } from "../../src/auth/key-store.ts";
import { BY, input, startCache } from "../support/key-cache.ts";

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

test("it is a comparison in constant time that decides whether a secret is a key's, wherever keys are kept", async () => {
  const digest = digestOf("sk-of-the-environment");
  const { entries } = parseKeyList(["team:sk-of-the-environment"]);
  expect(staticKeyStore(entries).find(digest)).toMatchObject({ name: "team" });
  expect(compared.splice(0)).toContainEqual(digest);
  const { service, find } = await startCache();
  const { secret } = await service.create(input("bob"), BY);
  for (let look = 0; look < 2; look++) {
    expect(await find(secret)).toMatchObject({ name: "bob" });
    expect(compared.splice(0)).toContainEqual(digestOf(secret));
  }
});
