import type { FastifyInstance, FastifyReply } from "fastify";
import type { HeaderMap } from "./headers.ts";

/** The part of the shutdown state that the default headers need. */
interface ShutdownFlag {
  readonly isShuttingDown: boolean;
}

declare module "fastify" {
  interface FastifyInstance {
    shutdown: ShutdownFlag;
  }
}

/** Adds the default headers to every response that Fastify writes. */
export function setDefaultHeaders(app: FastifyInstance, shutdown: ShutdownFlag): void {
  app.decorate("shutdown", shutdown);
  app.addHook("onRequest", (request, reply, done) => {
    reply.header("x-request-id", request.id);
    done();
  });
  app.addHook("onSend", (_request, reply, _payload, done) => {
    if (shutdown.isShuttingDown) reply.header("connection", "close");
    done();
  });
}

/** Returns the current default headers for a response that bypasses Fastify. */
export function getDefaultHeaders(reply: FastifyReply): HeaderMap {
  const headers = reply.getHeaders() as HeaderMap;
  // This header makes clients and load balancers send their next request to another process.
  if (reply.server.shutdown.isShuttingDown) headers["connection"] = "close";
  return headers;
}
