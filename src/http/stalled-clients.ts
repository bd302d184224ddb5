import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { Connections } from "./connections.ts";

/** Minimum number of checks within the timeout. */
const CHECKS = 4;
/** Longest interval between two checks, in ms. */
const CHECK_MAX_MS = 5_000;

/** The last observed progress of a connection that has unsent bytes. */
interface Waiting {
  readonly sentBytes: number;
  /** `performance.now()`. */
  readonly sinceMs: number;
}

/** Counters of Node's internal TCP handle, which `net.Socket` uses to detect partial writes (`lib/net.js`). */
interface TcpHandle {
  /** Bytes passed to libuv, and the part of them that the kernel has not accepted. */
  readonly bytesWritten: number;
  readonly writeQueueSize: number;
}

/**
 * Destroys connections whose clients have stopped reading, on all routes. This closes the response and its source: the
 * file, the query or the upstream request. A connection is stalled if the kernel's buffers are full and accept no unsent
 * byte during the timeout. It is not stalled while there is nothing to send, however long upstream is silent, nor while the
 * client reads slowly. `socket.setTimeout()` is no substitute: a client can reset that timer by sending a byte, and Node
 * replaces it with each request.
 * @param timeoutMs time without progress. A connection is destroyed between this time and 1.5 times this time, and at most
 * 10 s after this time.
 */
export function closeStalledClients(server: Server, connections: Connections, timeoutMs: number): void {
  const waiting = new WeakMap<Socket, Waiting>();
  const check = (): void => {
    const now = performance.now();
    for (const socket of connections.sockets()) {
      if (socket.writableLength === 0) {
        waiting.delete(socket);
        continue;
      }
      const sentBytes = readSentBytes(socket);
      const before = waiting.get(socket);
      if (before?.sentBytes !== sentBytes) waiting.set(socket, { sentBytes, sinceMs: now });
      else if (now - before.sinceMs >= timeoutMs) {
        // After a FIN, the kernel would keep its buffers (up to 4 MiB) while the client acknowledges the kernel's probes.
        socket.resetAndDestroy();
      }
    }
  };
  const timer = setInterval(check, Math.min(CHECK_MAX_MS, timeoutMs / CHECKS)).unref();
  server.once("close", () => clearInterval(timer));
}

/** Returns the number of bytes that the kernel has accepted. Node's public counters ignore partially accepted writes. */
function readSentBytes(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { _handle?: TcpHandle | null };
  return handle ? handle.bytesWritten - handle.writeQueueSize : 0;
}
