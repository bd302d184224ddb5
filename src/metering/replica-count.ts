import type { Database } from "../store/database.ts";
import { countInstances } from "./sql/instances.ts";

/** A process without a heartbeat for this long does not count. */
export const ALIVE_MS = 60_000;
/** The count is read again after this time. */
const MAX_AGE_MS = 5_000;

/** Creates a function that counts the live processes that share a database; at least 1. */
export function createReplicaCount(database: Database): () => Promise<number> {
  let count = 1;
  let countedAt = -Infinity;
  return async () => {
    const now = performance.now();
    if (now - countedAt > MAX_AGE_MS) {
      countedAt = now;
      count = Math.max(1, await countInstances(database, ALIVE_MS));
    }
    return count;
  };
}
