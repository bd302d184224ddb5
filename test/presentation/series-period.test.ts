import { expect, test } from "vitest";
import { resolveSeriesPeriod } from "../../src/presentation/series-period.ts";

const NOW = Date.parse("2026-11-22T12:34:56.789Z");
const HOUR_MS = 3_600_000;
const format = (ms: number): string => new Date(ms).toISOString();

test("a period of the longest length that ends now is accepted at any second, and extended to whole steps", () => {
  const { from, to } = resolveSeriesPeriod("minute", { from: NOW - 3 * HOUR_MS }, NOW);
  expect([format(from), format(to)]).toEqual(["2026-11-22T09:34:00.000Z", "2026-11-22T12:35:00.000Z"]);
});

test("a longer period is refused, with the remedy", () => {
  expect(() => resolveSeriesPeriod("minute", { from: NOW - 3 * HOUR_MS - 1 }, NOW)).toThrow(
    "from is more than 3 hours before to, the longest period of step=minute. Use a later from, or step=hour.",
  );
});

test("a period without bounds ends with the current step", () => {
  const { from, to } = resolveSeriesPeriod("hour", {}, NOW);
  expect([format(from), format(to)]).toEqual(["2026-11-21T13:00:00.000Z", "2026-11-22T13:00:00.000Z"]);
});
