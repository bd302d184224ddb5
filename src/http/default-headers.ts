import type { FastifyInstance, FastifyReply } from "fastify";
import type { ShutdownState } from "./shutdown.ts";
import type { HeaderMap } from "./headers.ts";

declare module "fastify" {
  interface FastifyInstance {
    shutdown: ShutdownState;
  }
}

/** Adds the default headers to every response that Fastify writes. */
export function setDefaultHeaders(app: FastifyInstance, shutdown: ShutdownState): void {
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

/** Returns the default headers for a response that bypasses Fastify, as they are now. */
export function getDefaultHeaders(reply: FastifyReply): HeaderMap {
  const headers = reply.getHeaders() as HeaderMap;
  // Makes clients and load balancers send their next request to another process.
  if (reply.server.shutdown.isShuttingDown) headers["connection"] = "close";
  return headers;
}
