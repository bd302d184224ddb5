import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parseUsdToAttodollars, formatAttodollars, toNanodollars } from "../../src/pricing/decimal.ts";

const ATTO = 10n ** 18n;
const NANO = 10n ** 9n;
const digits = fc.stringMatching(/^\d{1,30}$/);
const decimal = fc.record({
  whole: digits,
  fraction: fc.option(digits, { nil: undefined }),
  exponent: fc.option(fc.integer({ min: -40, max: 40 }), { nil: undefined }),
});

/** Returns the value of a decimal as a fraction of two whole numbers. */
function toFraction(whole: string, fraction = "", exponent = 0): { numerator: bigint; denominator: bigint } {
  const power = exponent - fraction.length;
  const unscaled = BigInt(whole + fraction);
  return power >= 0
    ? { numerator: unscaled * 10n ** BigInt(power), denominator: 1n }
    : { numerator: unscaled, denominator: 10n ** BigInt(-power) };
}

test("parseUsdToAttodollars returns the nearest attodollar below or above, or the exact value if that is possible", () => {
  fc.assert(
    fc.property(decimal, ({ whole, fraction, exponent }) => {
      const text =
        whole +
        (fraction === undefined ? "" : `.${fraction}`) +
        (exponent === undefined ? "" : `e${exponent}`);
      const { numerator, denominator } = toFraction(whole, fraction, exponent);
      const down = parseUsdToAttodollars(text, "down") ?? -1n;
      const up = parseUsdToAttodollars(text, "up") ?? -1n;
      expect(down * denominator <= numerator * ATTO && (down + 1n) * denominator > numerator * ATTO).toBe(
        true,
      );
      expect(up * denominator >= numerator * ATTO && (up - 1n) * denominator < numerator * ATTO).toBe(true);
      expect(up - down).toBe((numerator * ATTO) % denominator === 0n ? 0n : 1n);
    }),
  );
});

test("toNanodollars returns the nearest nanodollar below or above", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 40n }), (attodollars) => {
      const down = toNanodollars(attodollars, "down");
      const up = toNanodollars(attodollars, "up");
      expect(down * NANO <= attodollars && (down + 1n) * NANO > attodollars).toBe(true);
      expect(up * NANO >= attodollars && (up - 1n) * NANO < attodollars).toBe(true);
    }),
  );
});

test("formatAttodollars writes an exact decimal without an exponent or trailing zeros", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 40n }), (attodollars) => {
      const text = formatAttodollars(attodollars);
      expect(parseUsdToAttodollars(text, "down")).toBe(attodollars);
      expect(parseUsdToAttodollars(text, "up")).toBe(attodollars);
      expect(text).toMatch(/^(0|[1-9]\d*)(\.\d*[1-9])?$/);
    }),
  );
});

test.each([
  ["0.00000015", 150_000_000_000n],
  ["1e-7", 100_000_000_000n],
  ["1.5E-7", 150_000_000_000n],
  ["2e+1", 20n * ATTO],
  ["0", 0n],
  ["0.014", 14_000_000_000_000_000n],
])("parses %s exactly", (text, attodollars) => {
  expect(parseUsdToAttodollars(text, "down")).toBe(attodollars);
  expect(parseUsdToAttodollars(text, "up")).toBe(attodollars);
});

test("parseUsdToAttodollars rounds digits after the eighteenth as requested", () => {
  expect(parseUsdToAttodollars("0.0000000208333333333333", "down")).toBe(20_833_333_333n);
  expect(parseUsdToAttodollars("0.0000000208333333333333", "up")).toBe(20_833_333_334n);
});

test.each([
  "-1",
  "-0.5",
  "",
  ".",
  "1.",
  ".5",
  "abc",
  "NaN",
  "Infinity",
  "0x1",
  "1e999999999",
  "1e101",
  " 1",
  "1e",
])("returns undefined for the price %j", (text) => {
  expect(parseUsdToAttodollars(text, "down")).toBeUndefined();
  expect(parseUsdToAttodollars(text, "up")).toBeUndefined();
});
