import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LocalCounter } from "../../src/limits/local-counter.ts";
import { LimitDecisions } from "../../src/limits/limit-decisions.ts";
import { createLimit, type Limit } from "../../src/limits/rate-limit.ts";

const CALLERS_MAX = 50_000;
const WINDOW_MS = 1_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance", "Date"] }));
afterEach(() => void vi.useRealTimers());

const createTestLimit = (max: number): Limit =>
  createLimit({ name: "test", max, windowMs: WINDOW_MS, redis: undefined, decisions: new LimitDecisions() });

/** @returns the number of `requests` that a limit admits. */
async function countAdmitted(limit: Limit, caller: string, requests: number): Promise<number> {
  let count = 0;
  for (let sent = 0; sent < requests; sent++)
    await limit.consume(caller).then(
      () => count++,
      () => {},
    );
  return count;
}

test("a window begins with the first request of a caller after the previous window", () => {
  const counter = new LocalCounter(WINDOW_MS);
  expect(counter.count("a")).toEqual({ count: 1, resetMs: 1_000 });
  vi.advanceTimersByTime(400);
  expect(counter.count("a")).toEqual({ count: 2, resetMs: 600 });
  expect(counter.count("b")).toEqual({ count: 1, resetMs: 1_000 });
  vi.advanceTimersByTime(600);
  expect(counter.count("a")).toEqual({ count: 1, resetMs: 1_000 });
  expect(counter.count("b")).toEqual({ count: 2, resetMs: 400 });
});

test.each([-3_600_000, 3_600_000])(
  "a change of the system clock by %d ms neither blocks a caller nor resets its count",
  async (ms) => {
    const limit = createTestLimit(2);
    expect(await countAdmitted(limit, "a", 1)).toBe(1);
    vi.setSystemTime(Date.now() + ms);
    expect(await countAdmitted(limit, "a", 5)).toBe(1);
    vi.advanceTimersByTime(WINDOW_MS);
    expect(await countAdmitted(limit, "a", 5)).toBe(2);
    vi.setSystemTime(Date.now() - ms);
    expect(limit.isExceededBy("a")).toBe(true);
    vi.advanceTimersByTime(WINDOW_MS);
    expect(limit.isExceededBy("a")).toBe(false);
    expect(await countAdmitted(limit, "a", 5)).toBe(2);
  },
);

test("a caller over the limit stays blocked even if more callers arrive than the counter can keep", async () => {
  const limit = createTestLimit(2);
  expect(await countAdmitted(limit, "blocked", 3)).toBe(2);
  for (let other = 0; other < CALLERS_MAX + 10; other++) await limit.consume(`other ${other}`);
  expect(await countAdmitted(limit, "blocked", 3)).toBe(0);
  vi.advanceTimersByTime(WINDOW_MS);
  expect(await countAdmitted(limit, "blocked", 3)).toBe(2);
});

test("a counter evicts a blocked caller only when the counter is full of other blocked callers", async () => {
  const limit = createTestLimit(1);
  expect(await countAdmitted(limit, "blocked", 2)).toBe(1);
  for (let other = 1; other < CALLERS_MAX; other++) await countAdmitted(limit, `other ${other}`, 2);
  expect(limit.isExceededBy("blocked")).toBe(true);
  await countAdmitted(limit, "one more", 2);
  await countAdmitted(limit, "and another", 2);
  expect(limit.isExceededBy("blocked")).toBe(false);
});

test("a counter keeps at most 50,000 callers", () => {
  const counter = new LocalCounter(WINDOW_MS);
  for (let caller = 0; caller <= CALLERS_MAX; caller++) counter.count(`caller ${caller}`);
  expect(counter.count("caller 1").count).toBe(2);
  expect(counter.count("caller 0").count).toBe(1);
});
