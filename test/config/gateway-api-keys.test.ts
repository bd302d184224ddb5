import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { parseKeyList } from "../../src/config/gateway-api-keys.ts";

const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest();
const HEX = sha256("sk-a").toString("hex");

test.each([
  ["team:sk-a", "team", "sk-a"],
  ["team:sk-a:b:c", "team", "sk-a:b:c"],
  ["A.b-c_9:!\"#$%&'()*+-./;<=>?@[]^_`{|}~", "A.b-c_9", "!\"#$%&'()*+-./;<=>?@[]^_`{|}~"],
  [`${"n".repeat(64)}:x`, "n".repeat(64), "x"],
  [`n:${"s".repeat(512)}`, "n", "s".repeat(512)],
  ["n:sha256", "n", "sha256"],
])("parses %s as a name and a secret, and keeps only the secret's digest", (item, name, secret) => {
  const { entries, mistakes } = parseKeyList([item]);
  expect(mistakes).toEqual([]);
  expect(entries).toEqual([{ name, digest: sha256(secret) }]);
  expect(Object.keys(entries[0] ?? {})).toEqual(["name", "digest"]);
});

test.each([HEX, HEX.toUpperCase()])("sha256=%s configures a key by its digest, without its secret", (hex) => {
  const { entries, mistakes } = parseKeyList([`team:sha256=${hex}`]);
  expect(mistakes).toEqual([]);
  expect(entries).toEqual([{ name: "team", digest: sha256("sk-a") }]);
});

test.each([
  ["", "must be name:sk-"],
  ["sk-secret", "must be name:sk-"],
  [":sk-secret", "must be name:sk-"],
  ["a b:sk-secret", "must be name:sk-"],
  ["é:sk-secret", "must be name:sk-"],
  [`${"n".repeat(65)}:sk-secret`, "must be name:sk-"],
  ["team:", "has a secret that is empty"],
  ["team:sk secret", "has a secret that is empty or contains characters"],
  ["team:sk-secreté", "has a secret that is empty or contains characters"],
  ["team:sk-secret\u0000", "has a secret that is empty or contains characters"],
  [`team:${"secret".repeat(100)}`, "has a secret that is empty or contains characters"],
  ["team:sha256=", "has a sha256= digest that is not 64"],
  [`team:sha256=${HEX}0`, "has a sha256= digest that is not 64"],
  [`team:sha256=${HEX.slice(1)}`, "has a sha256= digest that is not 64"],
  [`team:sha256=${HEX.slice(1)}g`, "has a sha256= digest that is not 64"],
  [`team:sha256=${HEX} `, "has a sha256= digest that is not 64"],
])("reports a mistake in the item %j with the position of the item, without its text", (item, mistake) => {
  const { entries, mistakes } = parseKeyList(["first:x", item, "last:y"]);
  expect(entries.map(({ name }) => name)).toEqual(["first", "last"]);
  expect(mistakes).toEqual([expect.stringContaining(`GATEWAY_API_KEYS item 2 ${mistake}`)]);
  expect(mistakes.join()).not.toMatch(/secret(?! that)|[0-9a-f]{20}/);
});

test("names and secrets must be unique, as text and as digest", () => {
  const { entries, mistakes } = parseKeyList(["a:sk-a", "a:sk-b", `b:sha256=${HEX}`, "b:sk-b", "A:sk-c"]);
  expect(entries.map(({ name }) => name)).toEqual(["a", "b", "A"]);
  expect(mistakes).toEqual([
    "GATEWAY_API_KEYS item 2 repeats the name of another key",
    "GATEWAY_API_KEYS item 3 repeats the secret of another key",
  ]);
});
