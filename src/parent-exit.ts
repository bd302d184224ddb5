const CHECK_MS = 250;

/**
 * Calls `stop` once when the parent of this process has ended. npm's shell dies of a SIGTERM without passing it on, and
 * would leave this process behind, holding its port.
 */
export function onParentExit(stop: () => void): void {
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    stop();
  }, CHECK_MS);
  watch.unref();
}
