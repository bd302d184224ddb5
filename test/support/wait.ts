import { setTimeout as sleep } from "node:timers/promises";

/** A wait that is longer than this is a hang. It says nothing about speed, because the machine may be slow. */
const HANG_MS = 10_000;

/**
 * Waits until `probe` returns a truthy value, and returns the value.
 * @param label names the awaited event in the error message.
 */
export async function waitUntil<T>(
  probe: () => T | Promise<T>,
  label: string,
  deadlineMs = HANG_MS,
): Promise<NonNullable<T>> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (performance.now() > end) throw new Error(`timed out after ${deadlineMs} ms waiting for: ${label}`);
    await sleep(2);
  }
}

/** Resolves as `promise` does, or fails after the deadline. */
export async function waitFor<T>(promise: Promise<T>, label: string, deadlineMs = HANG_MS): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`timed out after ${deadlineMs} ms waiting for: ${label}`)),
    deadlineMs,
  );
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Interval at which the time is measured, and the most that an interval counts if the process did not use the CPU. */
const TICK_MS = 5;
const TICK_MAX_MS = 20;

/**
 * Measures how long a promise takes, without the time in which the system did not run this process. So a promise that the
 * gateway in this process has to keep ("within 250 ms") can be checked on a machine that others use too. The time for which
 * the process blocked its own event loop counts in full, because it used the CPU.
 * @returns ms; at most the elapsed time.
 */
export async function measureRunningMs(promise: Promise<unknown>): Promise<number> {
  let [at, cpu, total] = [performance.now(), process.cpuUsage(), 0];
  const count = (): void => {
    const { user, system } = process.cpuUsage(cpu);
    const elapsed = performance.now() - at;
    total += Math.min(elapsed, Math.max(TICK_MAX_MS, (user + system) / 1_000));
    [at, cpu] = [performance.now(), process.cpuUsage()];
  };
  const timer = setInterval(count, TICK_MS);
  await promise.finally(() => clearInterval(timer));
  count();
  return total;
}
