import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";
import { exchangeUnderWay } from "./exchange.ts";

/** Whether the process is on its way out. One per app; readiness and every answer look at it. */
export class Drain {
  #draining = false;

  get draining(): boolean {
    return this.#draining;
  }

  /** From now on readiness fails and every answer asks for its connection to be closed. */
  begin(): void {
    this.#draining = true;
  }
}

/** How often connections that have become idle are looked for while the server closes. */
const IDLE_SWEEP_MS = 50;
/** Longer than a request is on its way that was sent over a connection before its sender could know better. */
const IDLE_MS = 200;

/** How a connection was when it was first seen with nothing under way. */
interface Idle {
  /** `performance.now()`. */
  readonly since: number;
  /** How many bytes had come. */
  readonly bytes: number;
}

/**
 * Makes `app.close()` finish soon after the last answer has been sent, and not before. Node closes connections that are
 * idle when closing begins, but not those that become idle after (fastify#7044): they would hold the process for the
 * keep-alive time. And it takes for idle those whose answer has ended but has not left yet, and would truncate it, and those
 * whose request is on its way, and would reset it: a load balancer may not send a POST once more. So a connection is idle
 * when nothing was under way on it for {@link IDLE_MS}, and nothing came.
 */
export function closeIdleConnections(app: FastifyInstance): void {
  const sockets = new Map<Socket, Idle | undefined>();
  app.server.on("connection", (socket) => {
    sockets.set(socket, undefined);
    socket.once("close", () => sockets.delete(socket));
  });
  app.server.closeIdleConnections = () => {
    const now = performance.now();
    for (const [socket, idle] of sockets) {
      if (exchangeUnderWay(socket)) sockets.set(socket, undefined);
      else if (idle?.bytes !== socket.bytesRead) sockets.set(socket, { since: now, bytes: socket.bytesRead });
      else if (now - idle.since >= IDLE_MS) socket.destroy();
    }
  };
  app.addHook("preClose", (done) => {
    const sweep = setInterval(() => app.server.closeIdleConnections(), IDLE_SWEEP_MS);
    app.server.once("close", () => clearInterval(sweep));
    inQuietTurn(done);
  });
}

/** A turn of the event loop that takes no longer has only accepted connections. */
const QUIET_TURN_MS = 0.05;
const QUIET_TURN_TRIES = 1_000;

/**
 * Calls back right after connections were accepted. When the server stops listening, the system resets those that it has
 * opened and that were not accepted yet, and of a load balancer that cannot see readiness many are.
 */
function inQuietTurn(then: () => void, triesLeft = QUIET_TURN_TRIES): void {
  const before = performance.now();
  setImmediate(() => {
    if (triesLeft === 0 || performance.now() - before < QUIET_TURN_MS) then();
    else inQuietTurn(then, triesLeft - 1);
  });
}
