import { expect, test } from "vitest";
import { runSoak } from "./soak.ts";

const MINUTES = 0.5;

test("under mixed load with every fault, the gateway records upstream's cost of each request, and leaks nothing", async () => {
  const { violations, figures } = await runSoak({ minutes: MINUTES, clients: 32, seed: 1 });
  expect(violations).toEqual([]);
  expect(figures["sent"]).toBeGreaterThan(300);
}, 300_000);
