import type { FastifyInstance } from "fastify";
import type { Drain } from "./drain.ts";

/** Sets the headers that stand on every answer, whoever writes it. */
export function setOwnHeaders(app: FastifyInstance, drain: Drain): void {
  app.addHook("onRequest", (request, reply, done) => {
    reply.header("x-request-id", request.id);
    // Tells clients and load balancers to take their next request to a process that stays.
    if (drain.draining) reply.header("connection", "close");
    done();
  });
}
