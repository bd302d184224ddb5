const ROUNDS = 8;
/** Many kernels count CPU time in ticks of 4 ms, so shorter work is repeated until a round lasts this long. */
const ROUND_MS = 60;

/**
 * Measures the CPU time of `work` in several rounds. CPU time excludes the time in which other processes run.
 * @param enoughMs stops measuring after a round that takes at most this long. @returns the least time, in milliseconds.
 */
export function measureCpuMs(work: () => unknown, enoughMs = 0): number {
  let least = Infinity;
  const startedAt = performance.now();
  work();
  const repeats = Math.ceil(ROUND_MS / Math.max(1, performance.now() - startedAt));
  for (let round = 0; round < ROUNDS && least > enoughMs; round++) {
    const before = process.threadCpuUsage();
    for (let count = 0; count < repeats; count++) work();
    const { user, system } = process.threadCpuUsage(before);
    least = Math.min(least, (user + system) / 1_000 / repeats);
  }
  return least;
}

/** Whether `JSON.parse` accepts a text. */
export function canParseJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const REFERENCE = JSON.stringify(Array.from({ length: 50_000 }, (_, index) => ({ a: index })));
/** CPU time for parsing `REFERENCE` on the machine for which the limits were chosen. */
const REFERENCE_MS = 5;

/** Scales a limit in milliseconds to this machine: longer if `JSON.parse` is slower here. */
export function scaleToMachine(ms: number): number {
  reference ??= measureCpuMs(() => canParseJson(REFERENCE));
  return ms * Math.max(1, reference / REFERENCE_MS);
}
let reference: number | undefined;
