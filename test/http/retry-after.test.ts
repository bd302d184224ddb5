import { expect, test } from "vitest";
import { parseRetryAfter } from "../../src/http/retry-after.ts";

const DATE = "Sun, 06 Nov 1994 08:49:37 GMT";

test.each([
  ["0", 0],
  ["7", 7_000],
  [" 7 ", 7_000],
  ["1.5", 1_500],
  ["900", 900_000],
  ["901", 900_000],
  ["99999999999999999999", 900_000],
  ["Sun, 06 Nov 1994 08:50:07 GMT", 30_000],
  ["Sunday, 06-Nov-94 08:50:07 GMT", 30_000],
  ["Sun Nov  6 08:50:07 1994 GMT", 30_000],
  ["Sun, 06 Nov 1994 08:00:00 GMT", 0],
  ["Sun, 06 Nov 2094 08:49:37 GMT", 900_000],
])("reads a Retry-After of %j as %i ms after the response's date", (value, expected) => {
  expect(parseRetryAfter({ "retry-after": value, date: DATE })).toBe(expected);
});

test.each(["", "soon", "-1", "1e3", "5, 6", "0x10", "1994-11-06", "NaN"])(
  "rejects a Retry-After of %j",
  (value) => {
    expect(parseRetryAfter({ "retry-after": value, date: DATE })).toBeUndefined();
  },
);

test("returns undefined without a Retry-After", () => {
  expect(parseRetryAfter({ date: DATE })).toBeUndefined();
});

test.each([undefined, "no date"])(
  "compares a date with the machine's clock if the Date header is %s",
  (date) => {
    const value = new Date(Date.now() + 60_000).toUTCString();
    const waitMs = parseRetryAfter({ "retry-after": value, ...(date === undefined ? {} : { date }) }) ?? 0;
    expect(waitMs).toBeGreaterThan(50_000);
    expect(waitMs).toBeLessThanOrEqual(60_000);
  },
);
