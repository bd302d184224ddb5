import type { Server } from "node:http";
import type { Socket } from "node:net";

/**
 * Requests in flight on one connection. Node starts every request of a read at once, hundreds of them, and each holds its
 * response. Clients that pipeline send far fewer.
 */
const PIPELINED_MAX = 64;

/**
 * The open client connections of a server: which of them have requests in flight, and which has been idle longest. A
 * connection with more than {@link PIPELINED_MAX} requests in flight is destroyed.
 */
export class Connections {
  /** Requests in flight on each connection: more than one if the client pipelines. */
  readonly #inFlight = new Map<Socket, number>();
  /** Connections without a request in flight, the one that has been idle longest first. */
  readonly #idle = new Set<Socket>();

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
    this.#inFlight.delete(socket);
    this.#idle.delete(socket);
  }

  #count(socket: Socket, change: 1 | -1): void {
    const inFlight = this.#inFlight.get(socket);
    // The connection has closed before its response did.
    if (inFlight === undefined) return;
    this.#inFlight.set(socket, inFlight + change);
    if (inFlight + change === 0) this.#idle.add(socket);
    else this.#idle.delete(socket);
    if (inFlight + change > PIPELINED_MAX) this.destroy(socket);
  }
}
