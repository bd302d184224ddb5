const CHECK_MS = 250;

/**
 * Calls `stop` once when the parent of this process has exited. The shell that npm starts does not forward a SIGTERM: it
 * exits, and without this function the gateway would continue to run and to use its port.
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
