import { setTimeout as sleep } from "node:timers/promises";

/**
 * Waits until `probe` gives something truthy, and gives that back.
 * @param label what is waited for, for the message when it does not come.
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
    if (performance.now() > end) throw new Error(`waited ${deadlineMs} ms in vain for: ${label}`);
    await sleep(2);
  }
}

/** Gives what `promise` gives, or fails when it takes longer than the deadline. */
export async function waitFor<T>(promise: Promise<T>, label: string, deadlineMs = 5_000): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`waited ${deadlineMs} ms in vain for: ${label}`)),
    deadlineMs,
  );
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
