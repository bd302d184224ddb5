import type { Server } from "node:http";
import type { Socket } from "node:net";

/**
 * Maximum number of requests in flight on one connection. Node starts all requests that arrive in one read from the socket.
 * These can be hundreds, and each holds a response object. Clients that pipeline send far fewer.
 */
const PIPELINED_MAX = 64;
/**
 * Maximum number of requests in flight on all connections together, not counting the first one of each connection. A
 * pipelined request holds its headers, up to 16 KiB, until the previous responses have ended: without a limit, tens of
 * thousands of them exhaust a process with 1 GiB.
 */
const PIPELINED_TOTAL_MAX = 1_024;

/**
 * The open client connections of a server: which of them have requests in flight, and which has been idle longest. A
 * connection is destroyed if it has more than {@link PIPELINED_MAX} requests in flight, or if its new request exceeds
 * {@link PIPELINED_TOTAL_MAX}.
 */
export class Connections {
  /** Number of requests in flight on each connection: more than one if the client pipelines. */
  readonly #inFlight = new Map<Socket, number>();
  /** Connections without a request in flight, sorted by idle time, longest first. */
  readonly #idle = new Set<Socket>();
  /** Number of requests in flight, not counting the first one of each connection. */
  #pipelined = 0;

  /** @param server a server that has not accepted a connection yet. */
  constructor(server: Server) {
    server.on("connection", (socket) => {
      this.#inFlight.set(socket, 0);
      this.#idle.add(socket);
      socket.once("close", () => this.#forget(socket));
    });
    // Runs before the handler, which may send its response in the same tick.
    server.prependListener("request", ({ socket }, response) => {
      this.#count(socket, 1);
      response.once("close", () => this.#count(socket, -1));
    });
  }

  /** Number of open connections. */
  get size(): number {
    return this.#inFlight.size;
  }

  /** Number of connections that have a request in flight. */
  get busy(): number {
    return this.#inFlight.size - this.#idle.size;
  }

  /** Iterates over the open connections. */
  sockets(): Iterable<Socket> {
    return this.#inFlight.keys();
  }

  /** Returns the connection that has been idle longest; undefined if all connections have requests in flight. */
  longestIdle(): Socket | undefined {
    return this.#idle.values().next().value;
  }

  /** Destroys a connection and stops counting it immediately, before Node emits `close`. */
  destroy(socket: Socket): void {
    this.#forget(socket);
    socket.destroy();
  }

  #forget(socket: Socket): void {
    this.#pipelined -= Math.max(0, (this.#inFlight.get(socket) ?? 0) - 1);
    this.#inFlight.delete(socket);
    this.#idle.delete(socket);
  }

  #count(socket: Socket, change: 1 | -1): void {
    const inFlight = this.#inFlight.get(socket);
    // The connection has closed before the response.
    if (inFlight === undefined) return;
    const after = inFlight + change;
    this.#inFlight.set(socket, after);
    if (after === 0) this.#idle.add(socket);
    else this.#idle.delete(socket);
    // On each connection, one request in flight does not count as pipelined.
    if (inFlight > 0 && after > 0) this.#pipelined += change;
    const isNew = change === 1 && after > 1;
    if (isNew && (after > PIPELINED_MAX || this.#pipelined > PIPELINED_TOTAL_MAX)) this.destroy(socket);
  }
}
