import type { Server } from "node:http";
import type { Connections } from "./connections.ts";

const REPORT_EVERY_MS = 30_000;

/** What was closed to stay below the limit since the previous report. */
export interface LimitCounts {
  /** New connections that were closed at once, because every other one had a request in flight. */
  readonly dropped: number;
  /** Idle connections that were closed to make room for new ones. */
  readonly idleClosed: number;
  /** Errors of accept(2): the process has no file descriptor left. */
  readonly acceptErrors: number;
}

/**
 * Keeps a server at no more than `max` connections. A new one beyond that takes the place of the one that has been idle
 * longest, as in nginx ("reusing connections"), so that connections that ask for nothing cannot keep others out. If every
 * other one has a request in flight, the new one is closed at once.
 *
 * Node's `server.maxConnections` would drop the new connection before an idle one can be closed for it.
 * @param onLimit called when connections are closed: at once, and then at most once in 30 s.
 */
export function limitConnections(
  server: Server,
  connections: Connections,
  max: number,
  onLimit: (report: LimitCounts) => void,
): void {
  const report = createThrottledCounter(server, onLimit);
  server.on("connection", (socket) => {
    if (connections.size <= max) return;
    // The new connection is idle as well, and the last of them.
    const closed = connections.longestIdle() ?? socket;
    connections.destroy(closed);
    report(closed === socket ? "dropped" : "idleClosed");
  });
  // Without a listener one such error ends the process. Errors of listen() reach its caller.
  server.on("error", (error) => {
    if ("syscall" in error && error.syscall === "accept") report("acceptErrors");
  });
}

const NONE = { dropped: 0, idleClosed: 0, acceptErrors: 0 };

/** Counts, and reports what it has counted at once and then at most once in {@link REPORT_EVERY_MS}. */
function createThrottledCounter(
  server: Server,
  onLimit: (report: LimitCounts) => void,
): (what: keyof LimitCounts) => void {
  let counts = { ...NONE };
  let timer: NodeJS.Timeout | undefined;
  const report = (): void => {
    timer = undefined;
    if (Object.values(counts).every((count) => count === 0)) return;
    onLimit(counts);
    counts = { ...NONE };
    timer = setTimeout(report, REPORT_EVERY_MS).unref();
  };
  server.once("close", () => clearTimeout(timer));
  return (what) => {
    counts[what]++;
    if (!timer) report();
  };
}
