import * as fc from "fast-check";
import { expect, test } from "vitest";
import { formatUsd, parseUsdSetting, toNanodollars, toUsd } from "../src/money.ts";

test.each([
  [0, 0],
  [1, 1_000_000_000],
  [0.000_000_001, 1],
  [0.000_000_000_5, 1],
  [0.000_000_000_4, 0],
  [0.1 + 0.2, 300_000_000],
  [1.005, 1_005_000_000],
  [0.000_003_75, 3_750],
  [1.5e-7, 150],
  [7.5e-9, 8],
  [3.15e-8, 32],
  [1.225e-7, 123],
  [1.000_000_000_5, 1_000_000_001],
  [1.000_000_000_499_999, 1_000_000_000],
  [-0, 0],
  [-7.5e-9, -8],
  [5e-324, 0],
  ["9007199.254740991", 9_007_199_254_740_991],
  ["0.0000000075", 8],
  ["75E-10", 8],
  ["0.00000000749999999999999999999999", 7],
  ["1e-999999999", 0],
  ["0e999999999", 0],
])("converts %s USD to %d nanodollars, rounding half a nanodollar up", (usd, nanodollars) => {
  expect(toNanodollars(usd)).toBe(nanodollars);
});

test.each([Number.NaN, Infinity, 1e300, "1e999999999", "", "abc", "0x10", " 1", "1_000"])(
  "converts %j USD to a number that is not a safe integer",
  (usd) => {
    expect(Number.isSafeInteger(toNanodollars(usd))).toBe(false);
  },
);

test("rounds half a nanodollar up, even if the float is smaller than the decimal", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 999_999 }), (whole) => {
      expect(toNanodollars(Number(`${whole}.5e-9`))).toBe(whole + 1);
      expect(toNanodollars(Number(`${whole}.4999e-9`))).toBe(whole);
    }),
    { numRuns: 2_000 },
  );
});

test.each([
  [0, "0.000000000"],
  [1, "0.000000001"],
  [3_750, "0.000003750"],
  [999_999_999, "0.999999999"],
  [1_000_000_000, "1.000000000"],
  [-1, "-0.000000001"],
  [-1_500_000_000, "-1.500000000"],
  [9_007_199_254_740_991, "9007199.254740991"],
  [9_223_372_036_854_775_807n, "9223372036.854775807"],
  [-1n, "-0.000000001"],
])("formats %d nanodollars as %s", (nanodollars, text) => {
  expect(formatUsd(nanodollars)).toBe(text);
});

const NANODOLLARS = fc.integer({ min: 0, max: 9_000_000_000_000 });

test("converting nanodollars to dollars and back returns the same number", () => {
  fc.assert(
    fc.property(NANODOLLARS, (nanodollars) => {
      expect(toNanodollars(toUsd(nanodollars))).toBe(nanodollars);
      expect(toNanodollars(Number(formatUsd(nanodollars)))).toBe(nanodollars);
    }),
    { numRuns: 2_000 },
  );
});

test("sums of nanodollars are exact, where sums of dollars are not", () => {
  fc.assert(
    fc.property(fc.array(NANODOLLARS, { maxLength: 900 }), (costs) => {
      const sum = costs.reduce((total, cost) => total + toNanodollars(toUsd(cost)), 0);
      expect(BigInt(sum)).toBe(costs.reduce((total, cost) => total + BigInt(cost), 0n));
    }),
    { numRuns: 50 },
  );
});

test.each([
  [0, 0],
  ["0", 0],
  ["0.450", 450_000_000],
  [0.45, 450_000_000],
  [1e-9, 1],
  ["0.000000001", 1],
  ["0.0000000010", 1],
  ["9e6", 9_000_000_000_000_000],
  [9_000_000, 9_000_000_000_000_000],
  ["8999999.123456789", 8_999_999_123_456_789],
])("parses the setting %j as %d nanodollars", (usd, nanodollars) => {
  expect(parseUsdSetting(usd)).toBe(nanodollars);
});

test.each([
  -1,
  "-0.1",
  1e-10,
  "0.0000000001",
  "0.1234567891",
  9_000_000.5,
  "9000000.000000001",
  "1e99999",
  1e300,
])("refuses the setting %j", (usd) => {
  expect(parseUsdSetting(usd)).toBeUndefined();
});

test.each([
  "",
  " 1",
  "1 ",
  "$1",
  "1,5",
  ".5",
  "5.",
  "0x1",
  "NaN",
  "Infinity",
  Number.NaN,
  Infinity,
  "1e9999999999",
])("refuses the setting %j, which is not a decimal", (usd) => {
  expect(parseUsdSetting(usd)).toBeUndefined();
});
