import type { Socket } from "node:net";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type OnRequestEnd, RequestContext } from "./request-context.ts";

const activeRequests = new WeakMap<Socket, RequestContext>();

/** The last request in flight on a connection, if there is one. */
export function findActiveRequest(socket: Socket): RequestContext | undefined {
  return activeRequests.get(socket);
}

/**
 * Gives a request its context and ends it with its response. Fastify's own hooks do not run for a request that was aborted,
 * nor on a hijacked reply.
 */
export function beginRequest(request: FastifyRequest, reply: FastifyReply, onEnd: OnRequestEnd): void {
  const context = new RequestContext(request, reply, onEnd);
  request.context = context;
  const { socket } = request.raw;
  activeRequests.set(socket, context);
  reply.raw.once("close", () => {
    // Requests can be pipelined: the next one on this connection may have begun.
    if (activeRequests.get(socket) === context) activeRequests.delete(socket);
    context.endedAt = performance.now();
    if (context.activeResponse) context.activeResponse.onClose();
    else context.complete();
  });
}

/** Gives every request a {@link RequestContext}, `request.context`. */
export function trackRequests(app: FastifyInstance, onEnd: OnRequestEnd): void {
  app.decorateRequest("context");
  app.addHook("onRequest", (request, reply, done) => {
    if (!canRespond(request)) {
      reply.hijack();
      request.raw.socket.destroy();
      return;
    }
    beginRequest(request, reply, onEnd);
    done();
  });
}

/**
 * Whether our half of a request's connection is open. It has ended behind a request whose body was rejected, or behind too
 * many pipelined ones: a request that cannot get a response must not be executed, and billed, either.
 */
function canRespond({ raw }: FastifyRequest): boolean {
  return !raw.socket.writableEnded && !raw.socket.destroyed;
}
