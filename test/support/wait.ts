import { setTimeout as sleep } from "node:timers/promises";

/**
 * Waits until `probe` returns a truthy value, and returns the value.
 * @param label names the awaited event in the error message.
 */
export async function waitUntil<T>(
  probe: () => T | Promise<T>,
  label: string,
  deadlineMs = 5_000,
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
export async function waitFor<T>(promise: Promise<T>, label: string, deadlineMs = 5_000): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`timed out after ${deadlineMs} ms waiting for: ${label}`)),
    deadlineMs,
  );
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
