import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { Connections } from "./connections.ts";

/** The connections are checked this many times within the timeout, ... */
const CHECKS = 4;
/** ... and at least this often, in ms. */
const CHECK_MAX_MS = 5_000;

/** How far a connection had come when bytes were first seen to wait for its client. */
interface Waiting {
  readonly sentBytes: number;
  /** `performance.now()`. */
  readonly sinceMs: number;
}

/** What Node's handle of a TCP connection counts; `net.Socket` itself uses it to notice partial progress (`lib/net.js`). */
interface TcpHandle {
  /** Bytes handed to libuv, and how many of them the kernel has not taken. */
  readonly bytesWritten: number;
  readonly writeQueueSize: number;
}

/**
 * Destroys every connection whose client takes nothing of the bytes that wait for it, whichever route they come from: the
 * response closes, and with it the file, the query or the upstream request that it is read from. The kernel's buffers are
 * full before bytes wait. A connection with nothing to send is never stalled, however long upstream is silent, and a client
 * that takes any byte is not, however slow it is. `socket.setTimeout()` would be evaded by a client that sends a byte now and
 * then, and Node sets it anew for each request.
 * @param timeoutMs destroyed at the earliest after this, and at the latest 10 s, or half of it, later.
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
        // After a FIN the kernel would keep its buffers, up to 4 MiB, for as long as the client answers its probes.
        socket.resetAndDestroy();
      }
    }
  };
  const timer = setInterval(check, Math.min(CHECK_MAX_MS, timeoutMs / CHECKS)).unref();
  server.once("close", () => clearInterval(timer));
}

/** Bytes that the kernel has taken. Node's public counters do not show that a part of a large write has left. */
function readSentBytes(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { _handle?: TcpHandle | null };
  return handle ? handle.bytesWritten - handle.writeQueueSize : 0;
}
