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
const IDLE_SWEEP_MS = 100;

/**
 * Makes `app.close()` finish as soon as the last answer has been sent, and not before. Node closes connections that are
 * idle when closing begins, but not those that become idle after (fastify#7044): they would hold the process for the
 * keep-alive time. And it takes for idle those whose answer has ended but has not left yet, and would truncate it.
 */
export function closeIdleConnections(app: FastifyInstance): void {
  const sockets = new Set<Socket>();
  app.server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  app.server.closeIdleConnections = () => {
    for (const socket of sockets) if (!exchangeUnderWay(socket)) socket.destroy();
  };
  app.addHook("preClose", (done) => {
    const sweep = setInterval(() => app.server.closeIdleConnections(), IDLE_SWEEP_MS);
    app.server.once("close", () => clearInterval(sweep));
    done();
  });
}
