import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createSecret, digestSecret, getSecretPrefix, isMistyped } from "../src/key-secret.ts";

test("secrets are unique, well formed, and start with their public prefix", () => {
  const secrets = Array.from({ length: 1_000 }, createSecret);
  expect(new Set(secrets).size).toBe(1_000);
  for (const secret of secrets) {
    expect(secret).toMatch(/^sk-slc-[0-9A-Za-z]{49}$/);
    expect(isMistyped(secret)).toBe(false);
    expect(secret.startsWith(getSecretPrefix(secret))).toBe(true);
  }
  expect(getSecretPrefix(secrets[0] ?? "")).toHaveLength(12);
});

test("isMistyped detects one wrong, swapped, missing or added character", () => {
  const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  fc.assert(
    fc.property(fc.nat(48), fc.nat(61), (offset, digit) => {
      const secret = createSecret();
      const position = 7 + offset;
      const [before, after] = [secret.slice(0, position), secret.slice(position + 1)];
      const wrong = before + digits[digit] + after;
      expect(isMistyped(wrong)).toBe(wrong !== secret);
      expect(isMistyped(before + after)).toBe(true);
      expect(isMistyped(before + digits[digit] + secret.slice(position))).toBe(true);
      const swapped = before + (secret[position + 1] ?? "") + secret[position] + secret.slice(position + 2);
      expect(isMistyped(swapped)).toBe(swapped !== secret);
    }),
    { numRuns: 2_000 },
  );
});

test.each(["", "' OR '1'='1", "x".repeat(1_000_000), "ключ", "sk-or-v1-x", "sk-demo"])(
  "isMistyped returns false for a text without the prefix of issued secrets (%#)",
  (text) => {
    expect(isMistyped(text)).toBe(false);
  },
);

test("digestSecret returns the SHA-256 of the UTF-8 bytes of the secret", () => {
  expect(digestSecret("abc").toString("hex")).toBe(
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
});

test("each of the 256 bits of a secret is 1 in about half of all secrets", () => {
  const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  const count = 2_000;
  const values = Array.from({ length: count }, () =>
    createSecret()
      .slice(7, 50)
      .split("")
      .reduce((value, char) => value * 62n + BigInt(digits.indexOf(char)), 0n),
  );
  expect(values.every((value) => value < 1n << 256n)).toBe(true);
  const ones = Array.from(
    { length: 256 },
    (_, bit) => values.filter((value) => (value >> BigInt(bit)) & 1n).length,
  );
  // The bounds are eight standard deviations from the mean. A random source never reaches them in practice.
  expect(Math.min(...ones)).toBeGreaterThan(count / 2 - 4 * Math.sqrt(count));
  expect(Math.max(...ones)).toBeLessThan(count / 2 + 4 * Math.sqrt(count));
});

test.each([
  "",
  "' OR '1'='1",
  "x".repeat(1_000_000),
  "ключ".repeat(13),
  `${"0".repeat(49)}\n`,
  "é".repeat(49),
])(
  "isMistyped returns true for a text with the prefix of issued secrets and an invalid rest (%#)",
  (rest) => {
    expect(isMistyped(`sk-slc-${rest}`)).toBe(true);
  },
);
