import type { Server } from "node:http";
import type { Connections } from "./connections.ts";

const REPORT_EVERY_MS = 30_000;

/** Events at the connection limit since the previous report. */
export interface LimitCounts {
  /** New connections that were closed immediately, because all other connections had requests in flight. */
  readonly dropped: number;
  /** Idle connections that were closed in favor of new ones. */
  readonly idleClosed: number;
  /** Errors of accept(2): the process has run out of file descriptors. */
  readonly acceptErrors: number;
}

/**
 * Limits a server to `max` connections. A new connection above the limit replaces the connection that has been idle longest,
 * as in nginx ("reusing connections"), so that idle connections cannot block new clients. If all other connections have
 * requests in flight, the new connection is closed immediately.
 *
 * Node's `server.maxConnections` would drop the new connection before an idle one can be closed in its favor.
 * @param onLimit called when connections are closed: immediately the first time, then at most once in 30 s.
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
    // The new connection is idle too, and is chosen last.
    const closed = connections.longestIdle() ?? socket;
    connections.destroy(closed);
    report(closed === socket ? "dropped" : "idleClosed");
  });
  // Without a listener an accept error would end the process. Fastify rejects `listen()` for the errors of listen(2).
  server.on("error", (error) => {
    if ("syscall" in error && error.syscall === "accept") report("acceptErrors");
  });
}

const NONE = { dropped: 0, idleClosed: 0, acceptErrors: 0 };

/** Creates a counter that reports its first count immediately, and later counts at most once in {@link REPORT_EVERY_MS}. */
function createThrottledCounter(
  server: Server,
  onLimit: (report: LimitCounts) => void,
): (kind: keyof LimitCounts) => void {
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
  return (kind) => {
    counts[kind]++;
    if (!timer) report();
  };
}
