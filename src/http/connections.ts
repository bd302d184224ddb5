import type { Server } from "node:http";
import type { Socket } from "node:net";

/**
 * Requests in flight on one connection. Node starts every request of a read at once, hundreds of them, and each holds its
 * response. Clients that pipeline send far fewer.
 */
const PIPELINED_MAX = 64;
/**
 * Requests in flight on all connections, not counting the first one of each. Each holds its headers, up to 16 KiB,
 * until the responses before it have ended: without a bound, tens of thousands of them end a process with 1 GiB.
 */
const PIPELINED_TOTAL_MAX = 1_024;

/**
 * The open client connections of a server: which of them have requests in flight, and which has been idle longest. A
 * connection with more than {@link PIPELINED_MAX} requests in flight is destroyed, and so is one that exceeds
 * {@link PIPELINED_TOTAL_MAX}.
 */
export class Connections {
  /** Requests in flight on each connection: more than one if the client pipelines. */
  readonly #inFlight = new Map<Socket, number>();
  /** Connections without a request in flight, the one that has been idle longest first. */
  readonly #idle = new Set<Socket>();
  /** Requests in flight, not counting the first one of each connection. */
  #pipelined = 0;

  /** @param server a server that has not accepted a connection yet. */
  constructor(server: Server) {
    server.on("connection", (socket) => {
      this.#inFlight.set(socket, 0);
      this.#idle.add(socket);
      socket.once("close", () => this.#forget(socket));
    });
    // First of the listeners: a handler may answer in the same turn.
    server.prependListener("request", ({ socket }, response) => {
      this.#count(socket, 1);
      response.once("close", () => this.#count(socket, -1));
    });
  }

  /** Connections that are open. */
  get size(): number {
    return this.#inFlight.size;
  }

  /** Connections that have a request in flight. */
  get busy(): number {
    return this.#inFlight.size - this.#idle.size;
  }

  /** Every open connection. */
  sockets(): Iterable<Socket> {
    return this.#inFlight.keys();
  }

  /** The connection that has been idle longest, or has never had a request; undefined if every one has a request in flight. */
  longestIdle(): Socket | undefined {
    return this.#idle.values().next().value;
  }

  /** Closes a connection; from now on it does not count, although Node reports its end later. */
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
    // The connection has closed before its response did.
    if (inFlight === undefined) return;
    const after = inFlight + change;
    this.#inFlight.set(socket, after);
    if (after === 0) this.#idle.add(socket);
    else this.#idle.delete(socket);
    // Whether the first request of the connection begins or the last one ends, none is pipelined.
    if (inFlight > 0 && after > 0) this.#pipelined += change;
    const isNew = change === 1 && after > 1;
    if (isNew && (after > PIPELINED_MAX || this.#pipelined > PIPELINED_TOTAL_MAX)) this.destroy(socket);
  }
}
