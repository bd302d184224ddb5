import { expect, test } from "vitest";
import { DAY_MS, HOUR_MS } from "../../src/durations.ts";
import { resolveUsagePeriod } from "../../src/presentation/usage-period.ts";

const NOON = Date.UTC(2026, 10, 29, 12, 30);
const MIDNIGHT = Date.UTC(2026, 10, 29);

test("a report by end user ends with the current day by default, and begins 30 days before", () => {
  expect(resolveUsagePeriod({ by: ["end_user", "day"] }, NOON)).toEqual({
    from: MIDNIGHT - 29 * DAY_MS,
    to: MIDNIGHT + DAY_MS,
  });
  const period = { from: MIDNIGHT - DAY_MS, to: MIDNIGHT };
  expect(resolveUsagePeriod({ by: ["end_user"], ...period }, NOON)).toEqual(period);
});

test("other reports end with the current hour by default", () => {
  expect(resolveUsagePeriod({ by: ["group"], from: MIDNIGHT }, NOON)).toEqual({
    from: MIDNIGHT,
    to: MIDNIGHT + 13 * HOUR_MS,
  });
});

test.each([
  [{ by: ["end_user", "model"] }, "by", "end_user and model"],
  [{ by: ["provider", "end_user"] }, "by", "end_user and provider"],
  [{ by: ["end_user"], endpoint: "embeddings" }, "endpoint", "end_user and endpoint"],
  [{ by: ["end_user"], model: "a/b" }, "model", "end_user and model"],
  [{ by: ["end_user"], from: MIDNIGHT + HOUR_MS }, "from", "from must be a date"],
  [{ by: ["end_user"], to: MIDNIGHT - HOUR_MS }, "to", "to must be a date"],
] as const)("refuses the report %j, for which there are no sums", (query, param, message) => {
  expect(() => resolveUsagePeriod(query, NOON)).toThrow(
    expect.objectContaining({
      code: "invalid_value",
      param,
      message: expect.stringContaining(message) as string,
    }),
  );
});
