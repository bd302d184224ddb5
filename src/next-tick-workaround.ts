import { executionAsyncResource } from "node:async_hooks";
import process from "node:process";

let kept: object | undefined;

/**
 * Keeps one of the objects that `process.nextTick` creates until the process ends. These objects have computed property
 * names, and V8 keeps their hidden class only while such an object is alive. If a full garbage collection finds none before
 * V8 has optimized the function, `process.nextTick` stays slow: see docs/decisions/0016-next-tick-workaround.md.
 */
export function applyNextTickWorkaround(): void {
  process.nextTick(() => (kept ??= executionAsyncResource()));
}
