import * as fc from "fast-check";
import { expect, test } from "vitest";
import { nanodollarsOf, usdNumber, usdText } from "../../src/usage/money.ts";

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
  [9_007_199.254_740_991, 9_007_199_254_740_991],
])("%d USD are %d nanodollars", (usd, nanodollars) => {
  expect(nanodollarsOf(usd)).toBe(nanodollars);
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
])("%d nanodollars are written as %s", (nanodollars, text) => {
  expect(usdText(nanodollars)).toBe(text);
});

const NANODOLLARS = fc.integer({ min: 0, max: 9_000_000_000_000 });

test("nanodollars that were dollars once are the same nanodollars again", () => {
  fc.assert(
    fc.property(NANODOLLARS, (nanodollars) => {
      expect(nanodollarsOf(usdNumber(nanodollars))).toBe(nanodollars);
      expect(nanodollarsOf(Number(usdText(nanodollars)))).toBe(nanodollars);
    }),
    { numRuns: 2_000 },
  );
});

test("sums of nanodollars are exact, where sums of dollars are not", () => {
  fc.assert(
    fc.property(fc.array(NANODOLLARS, { maxLength: 900 }), (costs) => {
      const sum = costs.reduce((total, cost) => total + nanodollarsOf(usdNumber(cost)), 0);
      expect(BigInt(sum)).toBe(costs.reduce((total, cost) => total + BigInt(cost), 0n));
    }),
    { numRuns: 50 },
  );
});
