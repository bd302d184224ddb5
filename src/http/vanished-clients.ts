import type { Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Connections } from "./connections.ts";
import { formatPeer, type UnacknowledgedConnection, readUnacknowledgedConnections } from "./tcp-table.ts";

/** When nothing is sent: the kernel closes a connection 90 s after its client's last sign of life. */
const KEEP_ALIVE = { enable: true, initialDelay: 30_000, interval: 10_000, count: 6 };
const CHECK_EVERY_MS = 10_000;
/** Seven checks in a row. */
const UNANSWERED_MAX_MS = 55_000;
/** With fewer the client was not silent all the time: even a first retransmission after 3 s is the first of four in 45 s. */
const ATTEMPTS_MIN = 4;

/** A row of checks between which no acknowledgement came. */
interface Silence {
  /** At the last check. */
  readonly attempts: number;
  /** Of the first check; `performance.now()`. */
  readonly sinceMs: number;
}

/**
 * Destroys the connections of clients whose network is lost without a FIN or RST, within 120 s, so that no generation
 * continues for nobody. TCP keep-alive finds those that wait for a response. But while sent data is not acknowledged, Linux
 * sends no probes and retransmits for about 15 min (`tcp_retries2`), and Node cannot set `TCP_USER_TIMEOUT`. So while there are
 * requests in flight, this reads the kernel's own count of attempts since the last acknowledgement, probes included. Outside
 * Linux there is only keep-alive.
 * @param onUnreadable called once, with the error, if the kernel's table cannot be read.
 */
export function closeVanishedClients(
  server: Server,
  connections: Connections,
  onUnreadable: (error: unknown) => void,
): void {
  server.on("connection", (socket) => socket.setKeepAlive(KEEP_ALIVE));
  if (process.platform !== "linux") return;
  let silences: ReadonlyMap<Socket, Silence> = new Map();
  server.once("listening", () => {
    const { port } = server.address() as AddressInfo;
    const check = async (): Promise<void> => {
      const unanswered = connections.busy > 0 ? await readUnacknowledgedConnections(port) : [];
      silences = destroySilent(connections, unanswered, silences);
    };
    const timer = setInterval(() => {
      check().catch((error: unknown) => {
        clearInterval(timer);
        onUnreadable(error);
      });
    }, CHECK_EVERY_MS).unref();
    server.once("close", () => clearInterval(timer));
  });
}

/** @returns the silences that continue, by connection. */
function destroySilent(
  connections: Connections,
  unanswered: readonly UnacknowledgedConnection[],
  previous: ReadonlyMap<Socket, Silence>,
): ReadonlyMap<Socket, Silence> {
  const silences = new Map<Socket, Silence>();
  if (unanswered.length === 0) return silences;
  const attemptsByPeer = new Map(unanswered.map(({ peer, attempts }) => [peer, attempts]));
  const now = performance.now();
  for (const socket of connections.sockets()) {
    const attempts = attemptsByPeer.get(formatPeer(socket.remoteAddress, socket.remotePort));
    if (attempts === undefined) continue;
    const before = previous.get(socket);
    // An acknowledgement sets the count to 0.
    const sinceMs = before && attempts >= before.attempts ? before.sinceMs : now;
    if (attempts >= ATTEMPTS_MIN && now - sinceMs >= UNANSWERED_MAX_MS) connections.destroy(socket);
    else silences.set(socket, { attempts, sinceMs });
  }
  return silences;
}
