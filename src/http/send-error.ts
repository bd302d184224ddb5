import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { GatewayError } from "../errors.ts";
import { getDefaultHeaders } from "./default-headers.ts";

/** A body up to this length is read and discarded, so that the connection can be reused. */
const REUSE_MAX_BYTES = 65_536;
/** Bytes of a longer body that are discarded before its connection closes. Closing it with unread bytes would reset it. */
const DISCARD_MAX_BYTES = 1_048_576;
/** Time that a client has to read the response while it still sends its body. */
const LINGER_MS = 2_000;

/**
 * Sends an error in the format of the endpoint, even before the body of the request has arrived. In that case the connection stays open
 * for a moment before it closes: an immediate close would reset it, and a client that is still uploading would lose the
 * response.
 */
export function sendError(request: FastifyRequest, reply: FastifyReply, error: GatewayError): void {
  const response = reply.raw;
  if (response.headersSent || response.destroyed) return;
  reply.hijack();
  const { context } = request;
  context.recordError(error);
  context.stopwatch.stop();
  const status = context.errorFormat.chooseStatus(error, request.headers);
  const body = Buffer.from(context.errorFormat.formatBody(error, request));
  const headers = getDefaultHeaders(reply);
  Object.assign(headers, error.headers, {
    "content-type": "application/json",
    "content-length": String(body.length),
    "cache-control": "no-store",
  });
  if (!hasLongUnreadBody(request.raw)) {
    response.writeHead(status, headers).end(body);
    return;
  }
  response.writeHead(status, { ...headers, connection: "close" });
  const { socket } = response;
  // A response without a socket is queued: the response to an earlier, pipelined request must not be truncated.
  if (!socket) {
    response.end(body);
    return;
  }
  response.write(body);
  closeLingering(request.raw, response, socket);
}

/**
 * Closes the gateway's half of a connection whose request is still arriving, as nginx's `lingering_close` does. The FIN is
 * sent together with the response: without it Bun 1.3 sends its next request over this connection, despite
 * `connection: close`. Then the body is discarded for a while, because closing a socket with unread bytes resets it.
 */
function closeLingering(message: IncomingMessage, response: ServerResponse, socket: Socket): void {
  // Node buffers writes until the end of the tick, and drops them if the socket ends earlier.
  process.nextTick(() => socket.end());
  const linger = setTimeout(() => socket.destroy(), LINGER_MS);
  response.once("close", () => clearTimeout(linger));
  let bytesLeft = DISCARD_MAX_BYTES;
  message.on("data", (chunk: Buffer) => {
    bytesLeft -= chunk.length;
    if (bytesLeft < 0) message.pause();
  });
  message.once("end", () => socket.destroySoon());
}

function hasLongUnreadBody(message: IncomingMessage): boolean {
  if (message.complete) return false;
  const declared = message.headers["content-length"];
  return declared === undefined
    ? message.headers["transfer-encoding"] !== undefined
    : Number(declared) > REUSE_MAX_BYTES;
}
