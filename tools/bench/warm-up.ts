import type { BenchTarget } from "./compare.ts";
import { PLAIN, STREAM } from "./load.ts";

/** After so many the compilers and the heaps of a process have settled; before, it looks dearer than it is. */
const REQUESTS = 15_000;
const STREAMS = 600;

/** Makes processes as fast as they will be. */
export async function warmUp(targets: readonly BenchTarget[]): Promise<void> {
  for (const { load } of targets) {
    await load.run(PLAIN, REQUESTS);
    await load.run(STREAM, STREAMS);
  }
}
