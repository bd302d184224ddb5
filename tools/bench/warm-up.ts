import type { BenchTarget } from "./compare.ts";
import { PLAIN, STREAM } from "./load.ts";

/** After this many requests, compilation and heap size are stable. Before that, a process uses more CPU time. */
const REQUESTS = 15_000;
const STREAMS = 600;

/** Sends requests to each target until its CPU time per request is stable. */
export async function warmUp(targets: readonly BenchTarget[]): Promise<void> {
  for (const { load } of targets) {
    await load.run(PLAIN, REQUESTS);
    await load.run(STREAM, STREAMS);
  }
}
