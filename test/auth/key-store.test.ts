import { expect, test } from "vitest";
import { parseKeyList } from "../../src/config/gateway-api-keys.ts";
import { digestSecret } from "../../src/key-secret.ts";
import { createStaticKeyStore } from "../../src/auth/key-store.ts";

const { entries } = parseKeyList([
  "team:sk-a",
  "ci:sk-b",
  `old:sha256=${digestSecret("sk-c").toString("hex")}`,
]);

test.each([
  ["sk-a", "team"],
  ["sk-b", "ci"],
  ["sk-c", "old"],
])("the secret %s finds the key %s", async (secret, name) => {
  expect(await createStaticKeyStore(entries).find(digestSecret(secret))).toMatchObject({ name });
});

test.each(["sk-A", "sk-a ", "sk-", "", "team", digestSecret("sk-a").toString("hex")])(
  "the secret %j finds nothing",
  async (secret) => {
    expect(await createStaticKeyStore(entries).find(digestSecret(secret))).toBeUndefined();
  },
);

test("a digest that differs in one bit finds nothing, nor does a digest of zeros", async () => {
  const keys = createStaticKeyStore(entries);
  for (let bit = 0; bit < 256; bit++) {
    const digest = Buffer.from(digestSecret("sk-a"));
    digest[bit >> 3] = (digest[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(await keys.find(digest)).toBeUndefined();
  }
  expect(await keys.find(Buffer.alloc(32))).toBeUndefined();
});

test("a store without keys finds nothing", async () => {
  const keys = createStaticKeyStore([]);
  expect(await keys.find(digestSecret("sk-a"))).toBeUndefined();
  expect(await keys.find(Buffer.alloc(32))).toBeUndefined();
});
