import { expect, test } from "vitest";
import { createSingleRun } from "../src/single-run.ts";

test("calls during a run share its result, and a later call starts another run", async () => {
  let runs = 0;
  const run = createSingleRun(async () => ++runs, 1_000);
  expect(await Promise.all([run(), run()])).toEqual([1, 1]);
  expect(await run()).toBe(2);
});

test("a task that throws rejects, and does not prevent another run", async () => {
  let isBroken = true;
  const run = createSingleRun(() => {
    if (isBroken) throw new Error("broken");
    return "works";
  }, 1_000);
  await expect(run()).rejects.toThrow("broken");
  isBroken = false;
  expect(await run()).toBe("works");
});

test("after its deadline a run has failed, and until it ends calls fail at once and start no other run", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  let runs = 0;
  const run = createSingleRun(() => {
    runs++;
    return promise;
  }, 50);
  await expect(run()).rejects.toThrow("no result after 50 ms");
  const startedAt = performance.now();
  await expect(run()).rejects.toThrow("no result after 50 ms");
  expect(performance.now() - startedAt).toBeLessThan(40);
  expect(runs).toBe(1);
  resolve("late");
  await promise;
  await new Promise(setImmediate);
  expect(await run()).toBe("late");
  expect(runs).toBe(2);
});
