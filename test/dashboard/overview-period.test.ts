import { expect, test } from "vitest";
import {
  PERIODS,
  toIso,
  toPeriod,
  toPreviousLabel,
  toPreviousPeriod,
} from "../../src/dashboard/page/overview/period.ts";

const NOW = Date.parse("2026-11-29T14:03:20.500Z");

function show({ step, from, to }: ReturnType<typeof toPeriod>): string {
  return `${step} ${toIso(from)} ${toIso(to)}`;
}

test.each([
  ["1h", "minute 2026-11-29T13:04:00Z 2026-11-29T14:04:00Z"],
  ["24h", "hour 2026-11-28T15:00:00Z 2026-11-29T15:00:00Z"],
  ["7d", "hour 2026-11-22T15:00:00Z 2026-11-29T15:00:00Z"],
  ["30d", "day 2026-10-31T00:00:00Z 2026-11-30T00:00:00Z"],
  ["90d", "day 2026-09-01T00:00:00Z 2026-11-30T00:00:00Z"],
])("the period %s ends with the current step", (period, expected) => {
  expect(show(toPeriod({ period }, NOW))).toBe(expected);
});

test("a period that begins exactly now contains the current step", () => {
  const now = Date.parse("2026-11-29T14:00:00Z");
  expect(show(toPeriod({ period: "24h" }, now))).toBe("hour 2026-11-28T15:00:00Z 2026-11-29T15:00:00Z");
});

test.each([
  {},
  { period: "1y" },
  { from: "yesterday", to: "today" },
  { from: "2026-11-29", to: "2026-11-28" },
  { from: "2026-11-28" },
])("parameters without a valid period select the last 24 hours: %j", (params) => {
  expect(toPeriod(params, NOW)).toEqual(toPeriod({ period: "24h" }, NOW));
});

test.each([
  ["2026-11-29T10:00:00Z", "2026-11-29T13:00:00Z", "minute 2026-11-29T10:00:00Z 2026-11-29T13:00:00Z"],
  ["2026-11-29T10:20:00Z", "2026-11-29T14:20:00Z", "hour 2026-11-29T10:00:00Z 2026-11-29T15:00:00Z"],
  ["2026-11-01T00:00:00Z", "2026-11-20T03:00:00Z", "day 2026-11-01T00:00:00Z 2026-11-21T00:00:00Z"],
  ["2026-11-29T09:59:30Z", "2026-11-29T12:59:15Z", "hour 2026-11-29T09:00:00Z 2026-11-29T13:00:00Z"],
])("a selection from %s to %s is extended to whole steps", (from, to, expected) => {
  expect(show(toPeriod({ from, to }, NOW))).toBe(expected);
});

test("the API accepts every offered period and every selection", () => {
  const maxMs = { minute: 3 * 3_600_000, hour: 31 * 86_400_000, day: 400 * 86_400_000 };
  const periods = PERIODS.map(({ id }) => toPeriod({ period: id }, NOW));
  for (const minutes of [1, 61, 179, 180, 181, 10_079, 10_081, 500_000]) {
    const from = Date.parse("2026-01-01T00:00:30Z");
    periods.push(toPeriod({ from: toIso(from), to: toIso(from + minutes * 60_000) }, NOW));
  }
  for (const { step, from, to } of periods) expect(to - from).toBeLessThanOrEqual(maxMs[step]);
});

test("the previous period has the same length and no gap", () => {
  const period = toPeriod({ period: "7d" }, NOW);
  const previous = toPreviousPeriod(period);
  expect(previous).toEqual({ ...period, from: period.from - (period.to - period.from), to: period.from });
});

test("the previous period has a name", () => {
  expect(toPreviousLabel(toPeriod({ period: "1h" }, NOW))).toBe("previous hour");
  expect(toPreviousLabel(toPeriod({ period: "30d" }, NOW))).toBe("previous 30 days");
  expect(toPreviousLabel(toPeriod({ from: "2026-11-01", to: "2026-11-02" }, NOW))).toBe("previous period");
});
