import type { Socket } from "node:net";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type OnRequestEnd, RequestContext } from "./request-context.ts";

const activeRequests = new WeakMap<Socket, RequestContext>();

/** Returns the newest request in flight on a connection, if there is one. */
export function findActiveRequest(socket: Socket): RequestContext | undefined {
  return activeRequests.get(socket);
}

/**
 * Creates the context of a request, and completes it when the response closes. Fastify's `onResponse` and `onRequestAbort`
 * hooks cannot be used: they do not cover aborted requests and hijacked replies.
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
    context.stopwatch.stop();
    if (context.activeResponse) context.activeResponse.onClose();
    else context.complete();
  });
}

/** Adds a {@link RequestContext} to every request, as `request.context`. */
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
 * Whether a response can still be sent. It cannot if the gateway has rejected the body of a previous request, or too many
 * pipelined requests, and has closed its half of the connection. A request that cannot get a response must not cost money.
 */
function canRespond({ raw }: FastifyRequest): boolean {
  return !raw.socket.writableEnded && !raw.socket.destroyed;
}
