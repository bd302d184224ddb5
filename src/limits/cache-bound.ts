/** Options of an `LRUCache` without preallocated memory. */
export interface CacheBound {
  readonly maxSize: number;
  readonly sizeCalculation: () => number;
}

/**
 * Bounds an `LRUCache` to a number of entries. The option `max` is not used, because it preallocates memory for all entries:
 * several MB at startup.
 */
export function boundCache(maxEntries: number): CacheBound {
  return { maxSize: maxEntries, sizeCalculation: () => 1 };
}
