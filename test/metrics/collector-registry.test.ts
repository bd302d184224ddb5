import { Registry } from "prom-client";
import { expect, test, vi } from "vitest";
import { CollectorRegistry } from "../../src/metrics/collector-registry.ts";

/** Creates a registry, and records what it logs. */
function createCollectors() {
  const registry = new Registry();
  const logs: [object, string][] = [];
  const logger = { warn: (fields: object, message: string) => void logs.push([fields, message]) };
  const collectors = new CollectorRegistry({ registry, logger });
  collectors.add({
    name: "sound",
    metrics: { sound: { type: "gauge", help: "Sound." } },
    read: () => ({ sound: 7 }),
  });
  return { collectors, logs, scrape: () => registry.metrics() };
}

const HELP = { type: "counter", help: "Help." } as const;

test("all metrics of a collector share one read in a scrape", async () => {
  const { collectors, scrape } = createCollectors();
  let reads = 0;
  const read = () => ({
    one_total: ++reads,
    two_total: [{ labels: { name: 'a"\n\\b' }, value: reads }],
    absent_total: undefined,
  });
  collectors.add({
    name: "pair",
    metrics: { one_total: HELP, two_total: HELP, absent_total: HELP },
    read,
  });
  const text = await scrape();
  expect(text).toContain("# HELP one_total Help.\n# TYPE one_total counter\none_total 1\n");
  expect(text).toContain('two_total{name="a\\"\\n\\\\b"} 1\n');
  expect(text).not.toMatch(/^absent_total/m);
  expect(await scrape()).toContain("one_total 2\n");
});

test("a collector that fails has no values, counts its failures, logs once a minute, and leaves the others alone", async () => {
  const { collectors, logs, scrape } = createCollectors();
  const read = (): never => {
    throw new Error("broken");
  };
  collectors.add({ name: "broken", metrics: { a: HELP, b: HELP }, read });
  expect(await scrape()).toContain('sluice_collector_failures_total{collector="broken"} 0\n');
  const text = await scrape();
  expect(text).toMatch(/^sound 7$/m);
  expect(text).not.toMatch(/^[ab] /m);
  expect(text).toContain('sluice_collector_failures_total{collector="broken"} 1\n');
  expect(text).toContain('sluice_collector_failures_total{collector="sound"} 0\n');
  expect(logs).toEqual([
    [{ err: new Error("broken"), collector: "broken" }, "metrics: collector failed, values omitted"],
  ]);
});

test("a collector that hangs delays one scrape until its deadline, and its late values are in a later scrape", async () => {
  const { collectors, scrape } = createCollectors();
  const { promise, resolve } = Promise.withResolvers<{ slow: number }>();
  let reads = 0;
  const read = () => {
    reads++;
    return promise;
  };
  collectors.add({
    name: "slow",
    metrics: { slow: { type: "gauge", help: "Slow." } },
    read,
    cacheMs: 60_000,
    deadlineMs: 100,
  });
  expect(await scrape()).not.toMatch(/^slow /m);
  const startedAt = performance.now();
  const text = await scrape();
  expect(performance.now() - startedAt).toBeLessThan(90);
  expect(text).not.toMatch(/^slow /m);
  expect(text).toContain('sluice_collector_failures_total{collector="slow"} 1\n');
  resolve({ slow: 3 });
  await promise;
  await new Promise(setImmediate);
  expect(await scrape()).toMatch(/^slow 3$/m);
  expect(reads).toBe(1);
});

test("a collector that hangs counts a failure every minute, and not only one", async () => {
  const { collectors, logs, scrape } = createCollectors();
  const read = () => new Promise<never>(() => {});
  collectors.add({ name: "hung", metrics: { a: HELP, b: HELP }, read, deadlineMs: 50 });
  await scrape();
  expect(await scrape()).toContain('sluice_collector_failures_total{collector="hung"} 1\n');
  const later = performance.now() + 61_000;
  const clock = vi.spyOn(performance, "now").mockReturnValue(later);
  await scrape();
  expect(await scrape()).toContain('sluice_collector_failures_total{collector="hung"} 2\n');
  clock.mockRestore();
  expect(logs).toHaveLength(2);
});

test("many scrapers cause one read in the time of the cache, even of a collector that fails", async () => {
  const { collectors, scrape } = createCollectors();
  let [reads, failures] = [0, 0];
  collectors.add({
    name: "cached",
    metrics: { cached: HELP },
    read: () => ({ cached: ++reads }),
    cacheMs: 60_000,
  });
  const fail = (): never => {
    failures++;
    throw new Error("broken");
  };
  collectors.add({ name: "broken", metrics: { broken: HELP }, read: fail, cacheMs: 60_000 });
  await Promise.all([scrape(), scrape()]);
  const text = await scrape();
  expect([reads, failures]).toEqual([1, 1]);
  expect(text).toMatch(/^cached 1$/m);
  expect(text).toContain('sluice_collector_failures_total{collector="broken"} 1\n');
});
