import { closeSync, openSync, readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { readOpenFilesLimit } from "../../src/http/descriptor-limit.ts";
import { CollectorRegistry } from "../../src/metrics/collector-registry.ts";
import { registerProcess } from "../../src/metrics/process.ts";

function createProcessMetrics(): () => Promise<Map<string, number>> {
  const registry = new Registry();
  registerProcess(registry, new CollectorRegistry({ registry, logger: { warn: () => {} } }));
  return async () => {
    const lines = (await registry.metrics()).split("\n").filter((line) => /^[a-z]/.test(line));
    return new Map(lines.map((line) => [line.replace(/ \S+$/, ""), Number(/\S+$/.exec(line)?.[0])]));
  };
}

test("the metrics of the process have the names of prom-client and plausible values", async () => {
  const values = await createProcessMetrics()();
  const memory = process.memoryUsage();
  expect(values.get("process_cpu_seconds_total")).toBeGreaterThan(0);
  expect(values.get("process_resident_memory_bytes")).toBeGreaterThan(memory.rss / 2);
  expect(values.get("nodejs_heap_size_used_bytes")).toBeGreaterThan(memory.heapUsed / 2);
  expect(values.get('nodejs_heap_space_size_used_bytes{space="old"}')).toBeGreaterThan(0);
  expect(
    Math.abs((values.get("process_start_time_seconds") ?? 0) * 1_000 - performance.timeOrigin),
  ).toBeLessThan(1);
  expect(values.get("process_max_fds")).toBe(readOpenFilesLimit());
  expect(Math.abs((values.get("process_open_fds") ?? 0) - readdirSync("/proc/self/fd").length)).toBeLessThan(
    5,
  );
});

test("the lag of an idle event loop is near 0, and a blocked one shows how long it was blocked", async () => {
  const read = createProcessMetrics();
  await read();
  await sleep(1_100);
  const idle = await read();
  expect(idle.get("nodejs_eventloop_lag_p50_seconds")).toBeLessThan(0.02);
  await sleep(1_000);
  const until = performance.now() + 300;
  while (performance.now() < until);
  await sleep(100);
  const blocked = await read();
  expect(blocked.get("nodejs_eventloop_lag_max_seconds")).toBeGreaterThan(0.25);
});

test("every garbage collection of a busy tick is counted", async () => {
  const read = createProcessMetrics();
  const kept: object[] = [];
  for (let count = 0; count < 3_000_000; count++) kept[count % 1_000] = { count };
  await sleep(50);
  expect((await read()).get('nodejs_gc_duration_seconds_count{kind="minor"}')).toBeGreaterThan(3);
});

test("a scrape with 10,000 open descriptors counts them without blocking the event loop", async () => {
  const read = createProcessMetrics();
  await read();
  const files: number[] = [];
  try {
    for (let count = 0; count < 10_000; count++) files.push(openSync("/dev/null", "r"));
    const cpuBefore = process.cpuUsage();
    const values = await read();
    const { user, system } = process.cpuUsage(cpuBefore);
    expect(values.get("process_open_fds")).toBeGreaterThan(10_000);
    // To list them takes at least 10 ms of CPU time.
    expect(user + system).toBeLessThan(10_000);
  } finally {
    for (const file of files) closeSync(file);
  }
});
