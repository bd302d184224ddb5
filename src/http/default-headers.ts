import type { FastifyInstance, FastifyReply } from "fastify";
import type { ShutdownState } from "./shutdown.ts";
import type { HeaderMap } from "./headers.ts";

declare module "fastify" {
  interface FastifyInstance {
    shutdown: ShutdownState;
  }
}

/** Sets the headers that stand on every answer that Fastify writes. */
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

/** The headers that stand on an answer that is written past Fastify, as they are at this moment. */
export function getDefaultHeaders(reply: FastifyReply): HeaderMap {
  const headers = reply.getHeaders() as HeaderMap;
  // Tells clients and load balancers to take their next request to a process that stays.
  if (reply.server.shutdown.isShuttingDown) headers["connection"] = "close";
  return headers;
}
