import { executionAsyncResource } from "node:async_hooks";
import process from "node:process";

let kept: object | undefined;

/**
 * Keeps an object of `process.nextTick` alive until the process ends. `process.nextTick` creates such an object for each call,
 * with computed property names. V8 keeps the hidden class of these objects only while one of them is alive. If V8 discards
 * the class in a full garbage collection before it has optimized `process.nextTick`, `process.nextTick` stays slow: see
 * docs/decisions/0016-next-tick-workaround.md.
 */
export function applyNextTickWorkaround(): void {
  process.nextTick(() => (kept ??= executionAsyncResource()));
}
