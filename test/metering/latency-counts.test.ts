import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  computePercentile,
  LATENCY_BOUNDS_MS,
  LATENCY_BUCKETS,
  toLatencyCounts,
} from "../../src/metering/latency-counts.ts";
import { createRequestRow } from "../support/request-row.ts";

const HIGHEST = 64_000;

function countAll(latencies: readonly number[]): number[] {
  const rows = latencies.map((first_byte_ms) =>
    toLatencyCounts(createRequestRow("1", { outcome: "complete", status: 200, first_byte_ms })),
  );
  return LATENCY_BUCKETS.first_byte_ms.map((name) => rows.reduce((sum, row) => sum + (row[name] ?? 0), 0));
}

/** Returns the bounds of the bucket of a latency. */
function findBucket(ms: number): [lower: number, upper: number] {
  const index = LATENCY_BOUNDS_MS.findIndex((bound) => ms <= bound);
  if (index === -1) return [HIGHEST, HIGHEST];
  return [LATENCY_BOUNDS_MS[index - 1] ?? 0, LATENCY_BOUNDS_MS[index] ?? 0];
}

test("a percentile is inside the bucket of the request that has this rank in the sorted list", () => {
  const latencies = fc.array(fc.nat(100_000), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(latencies, fc.constantFrom(0.5, 0.95, 1), (list, share) => {
      const sorted = list.toSorted((a, b) => a - b);
      const exact = sorted[Math.ceil(share * list.length) - 1] ?? Number.NaN;
      const [lower, upper] = findBucket(exact);
      const estimate = computePercentile(countAll(list), share);
      expect(estimate).toBeGreaterThanOrEqual(lower);
      expect(estimate).toBeLessThanOrEqual(upper);
    }),
  );
});

test("a percentile is interpolated inside its bucket, and is null without requests", () => {
  expect(computePercentile(countAll([]), 0.5)).toBeNull();
  expect(computePercentile(countAll([130, 140, 150, 160]), 0.5)).toBe(188);
  expect(computePercentile(countAll([1, 1, 1, 70_000]), 0.75)).toBe(125);
  expect(computePercentile(countAll([1, 70_000, 80_000]), 0.95)).toBe(HIGHEST);
});

test("the upper bound of a bucket belongs to the bucket", () => {
  expect(countAll([125, 126, 250, 64_000, 64_001])).toEqual([1, 2, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
});

test.each([
  ["a failed request", { outcome: "upstream_error", status: 200 }],
  ["a request with an error status", { outcome: "complete", status: 429 }],
  ["a cancelled request", { outcome: "client_gone", status: 200 }],
  ["a request in flight", { outcome: null, status: 0 }],
] as const)("%s is in no bucket", (_name, result) => {
  const counts = toLatencyCounts(createRequestRow("1", { ...result, first_byte_ms: 10, total_ms: 20 }));
  expect(counts).toEqual({});
});
