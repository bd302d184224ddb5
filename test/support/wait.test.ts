import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { measureRunningMs } from "./wait.ts";

test("measureRunningMs counts the time in which timers run, and the time in which the process blocks its event loop", async () => {
  expect(await measureRunningMs(sleep(300))).toBeGreaterThan(100);
  const block = async (): Promise<void> => {
    await sleep(1);
    const { user } = process.cpuUsage();
    while (process.cpuUsage().user - user < 300_000);
  };
  expect(await measureRunningMs(block())).toBeGreaterThanOrEqual(300);
});

test("measureRunningMs does not count the time in which the process does not run", async () => {
  const pause = async (): Promise<void> => {
    await sleep(1);
    // Like a process that the system does not schedule, this uses no CPU.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
  };
  expect(await measureRunningMs(pause())).toBeLessThan(500);
});
