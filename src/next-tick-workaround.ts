import { executionAsyncResource } from "node:async_hooks";
import process from "node:process";

let kept: object | undefined;

/**
 * Keeps one of the objects that `process.nextTick` makes, for as long as this process lives. V8 remembers the shape of
 * objects that are made with computed names, as these are, only while there is one. A full collection that finds none,
 * before the function is compiled for speed, makes it slow for good: see docs/decisions/0016-next-tick-workaround.md.
 */
export function applyNextTickWorkaround(): void {
  process.nextTick(() => (kept ??= executionAsyncResource()));
}
