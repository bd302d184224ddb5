import { expect, onTestFinished, test, vi } from "vitest";
import { Stopwatch } from "../../src/http/stopwatch.ts";

test("a stopwatch measures the time while it runs, also when it is paused or resumed twice", () => {
  let now = 100;
  const clock = vi.spyOn(performance, "now").mockImplementation(() => now);
  onTestFinished(() => clock.mockRestore());
  const stopwatch = new Stopwatch(90);
  expect(stopwatch.elapsedMs).toBe(10);
  stopwatch.pause();
  now = 500;
  stopwatch.pause();
  expect(stopwatch.elapsedMs).toBe(10);
  stopwatch.resume();
  now = 503;
  stopwatch.resume();
  expect(stopwatch.elapsedMs).toBe(13);
});
