import type { BenchTarget } from "./compare.ts";
import { PLAIN, STREAM } from "./load.ts";

/** After this many requests, compiler and heap of a process are stable. Earlier measurements would be too high. */
const REQUESTS = 15_000;
const STREAMS = 600;

/** Sends requests to all targets until their performance is stable. */
export async function warmUp(targets: readonly BenchTarget[]): Promise<void> {
  for (const { load } of targets) {
    await load.run(PLAIN, REQUESTS);
    await load.run(STREAM, STREAMS);
  }
}
