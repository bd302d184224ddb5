const ROUNDS = 8;
/** Many kernels count CPU time in ticks of 4 ms: shorter work is repeated within a round. */
const ROUND_MS = 60;

/**
 * The least CPU time of several rounds of `work`, in milliseconds: other processes delay a round but take no CPU of it.
 * @param enoughMs one round within this ends the measurement.
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

/** Whether `JSON.parse` takes a text. */
export function canParseJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const REFERENCE = JSON.stringify(Array.from({ length: 50_000 }, (_, index) => ({ a: index })));
/** On the machine on which the bounds were chosen. */
const REFERENCE_MS = 5;

/** A bound in milliseconds for this machine: longer than `ms` on one on which JSON.parse takes longer. */
export function scaleToMachine(ms: number): number {
  reference ??= measureCpuMs(() => canParseJson(REFERENCE));
  return ms * Math.max(1, reference / REFERENCE_MS);
}
let reference: number | undefined;
