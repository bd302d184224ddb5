import { expect, test } from "vitest";
import { parseKeyList } from "../../src/config/gateway-api-keys.ts";
import { fingerprintSecret } from "../../src/key-secret.ts";
import { KnownSecrets } from "../../src/auth/known-secrets.ts";

test("knows configured secrets from the start, and other secrets once they have been valid", () => {
  const known = new KnownSecrets(parseKeyList(["a:sk-a", "b:sk-b"]).entries);
  expect([known.has("sk-a"), known.has("sk-b"), known.has("sk-c")]).toEqual([true, true, false]);
  known.add("sk-c", "key_c");
  expect(known.has("sk-c")).toBe(true);
  known.delete("sk-c");
  expect(known.has("sk-c")).toBe(false);
  expect(known.hasUnseen).toBe(false);
});

test("a key that is configured by its digest is unseen until its secret has been valid", () => {
  const known = new KnownSecrets(parseKeyList([`a:sha256=${"0".repeat(64)}`, "b:sk-b"]).entries);
  expect(known.hasUnseen).toBe(true);
  known.add("sk-b", "env:b");
  expect(known.hasUnseen).toBe(true);
  known.add("sk-a", "env:a");
  expect(known.hasUnseen).toBe(false);
});

test("knows at most 20,000 secrets, and keeps numeric fingerprints in place of their texts", () => {
  const known = new KnownSecrets([]);
  for (let index = 0; index <= 20_000; index++) known.add(`sk-${index}`, "key");
  expect([known.has("sk-0"), known.has("sk-1"), known.has("sk-20000")]).toEqual([false, true, true]);
  expect(fingerprintSecret("sk-1")).toBeTypeOf("number");
});
