/** Options of an `LRUCache` without preallocated memory. */
export interface CacheBound {
  readonly maxSize: number;
  readonly sizeCalculation: () => number;
}

/**
 * Bounds an `LRUCache` to a number of entries. Its option `max` would allocate the memory of all entries at once, some MB for
 * the caches of a gateway that has just started.
 */
export function boundCache(maxEntries: number): CacheBound {
  return { maxSize: maxEntries, sizeCalculation: () => 1 };
}
