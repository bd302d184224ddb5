import { expect, test } from "vitest";
import { chooseIntervalMs } from "../../src/demo/live-traffic.ts";
import { CALLERS } from "../../src/demo/callers.ts";
import { HOUR_MS, MINUTE_MS } from "../../src/durations.ts";

test("the demo sends about one request per second at first, and later less than three times as many as in a busy hour of its history", () => {
  expect(chooseIntervalMs(0)).toBeLessThan(1_000);
  const busiest = CALLERS.filter(({ rhythm }) => rhythm !== "night").reduce(
    (sum, { hourlyRequests }) => sum + hourlyRequests,
    0,
  );
  expect(HOUR_MS / chooseIntervalMs(5 * MINUTE_MS)).toBeLessThan(3 * busiest);
});
