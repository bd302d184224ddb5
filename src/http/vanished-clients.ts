import type { Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Connections } from "./connections.ts";
import { formatPeer, type UnacknowledgedConnection, readUnacknowledgedConnections } from "./tcp-table.ts";

/** TCP keep-alive for connections on which nothing is sent: the kernel closes them 90 s after the client's last segment. */
const KEEP_ALIVE = { enable: true, initialDelay: 30_000, interval: 10_000, count: 6 };
const CHECK_EVERY_MS = 10_000;
/** Longest accepted silence: seven checks in a row. */
const SILENCE_MAX_MS = 55_000;
/**
 * Even if the first attempt follows after 3 s, the kernel makes four attempts in 45 s. Fewer attempts prove that the client
 * was not silent all the time.
 */
const ATTEMPTS_MIN = 4;

/** A period without an acknowledgement. */
interface Silence {
  /** Retransmissions and probes at the last check. */
  readonly attempts: number;
  /** `performance.now()` at the first check. */
  readonly sinceMs: number;
}

/**
 * Destroys a connection within 120 s if the client's network is lost without a FIN or RST, so that no generation continues
 * without a reader. TCP keep-alive detects such clients while they wait for a response. But while sent data is
 * unacknowledged, Linux sends no probes and retransmits for about 15 min (`tcp_retries2`), and Node cannot set
 * `TCP_USER_TIMEOUT`. So while requests are in flight, this function reads the kernel's count of retransmissions and probes
 * since the last acknowledgement. Outside Linux only keep-alive is used.
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
      const unacknowledged = connections.busy > 0 ? await readUnacknowledgedConnections(port) : [];
      silences = destroySilent(connections, unacknowledged, silences);
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

/** Destroys connections that were silent for too long. @returns the continuing silences, by connection. */
function destroySilent(
  connections: Connections,
  unacknowledged: readonly UnacknowledgedConnection[],
  previous: ReadonlyMap<Socket, Silence>,
): ReadonlyMap<Socket, Silence> {
  const silences = new Map<Socket, Silence>();
  if (unacknowledged.length === 0) return silences;
  const attemptsByPeer = new Map(unacknowledged.map(({ peer, attempts }) => [peer, attempts]));
  const now = performance.now();
  for (const socket of connections.sockets()) {
    const attempts = attemptsByPeer.get(formatPeer(socket.remoteAddress, socket.remotePort));
    if (attempts === undefined) continue;
    const before = previous.get(socket);
    // An acknowledgement resets the count to 0, so a lower count means a new period of silence.
    const sinceMs = before && attempts >= before.attempts ? before.sinceMs : now;
    if (attempts >= ATTEMPTS_MIN && now - sinceMs >= SILENCE_MAX_MS) connections.destroy(socket);
    else silences.set(socket, { attempts, sinceMs });
  }
  return silences;
}
