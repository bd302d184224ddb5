import { LRUCache } from "lru-cache";
import { expect, test } from "vitest";
import { boundCache } from "../../src/limits/cache-bound.ts";

test("a bounded cache evicts its oldest entry when it exceeds the bound", () => {
  const cache = new LRUCache<string, number>(boundCache(2));
  for (const [index, key] of ["a", "b", "c"].entries()) cache.set(key, index);
  expect([...cache.keys()].toSorted()).toEqual(["b", "c"]);
});

test("a bounded cache allocates no memory for entries that do not exist yet", () => {
  const before = process.memoryUsage();
  const cache = new LRUCache<string, number>(boundCache(5_000_000));
  const after = process.memoryUsage();
  expect(after.heapUsed + after.external - before.heapUsed - before.external).toBeLessThan(10_000_000);
  expect(cache.size).toBe(0);
});
