const ROUNDS = 8;

/**
 * The least CPU time of several rounds of `work`, in milliseconds: other processes delay a round but take no CPU of it.
 * @param enoughMs one round within this ends the measurement.
 */
export function cpuMs(work: () => unknown, enoughMs = 0): number {
  let least = Infinity;
  for (let round = 0; round < ROUNDS && least > enoughMs; round++) {
    const before = process.threadCpuUsage();
    work();
    const { user, system } = process.threadCpuUsage(before);
    least = Math.min(least, (user + system) / 1_000);
  }
  return least;
}

/** Whether `JSON.parse` takes a text. */
export function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
