import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { GatewayError } from "../errors.ts";
import { getDefaultHeaders } from "./default-headers.ts";

/** A body up to this long is read and thrown away so that the connection can be used again. */
const READ_AWAY_BYTES = 65_536;
/** How much of a longer body is discarded, so that closing its connection does not reset it. */
const DISCARD_MAX_BYTES = 1_048_576;
/** How long a caller that is still sending may take to notice the answer. */
const LINGER_MS = 2_000;

/**
 * Answers with an error in OpenAI's shape, also when the request's body has not been read: then the answer leaves before
 * the body has arrived, and the connection closes when the caller has had time to see the answer. Closing at once would
 * reset the connection, and a caller in the middle of an upload would lose the answer.
 */
export function sendError(request: FastifyRequest, reply: FastifyReply, error: GatewayError): void {
  const response = reply.raw;
  if (response.headersSent || response.destroyed) return;
  reply.hijack();
  request.context.recordError(error);
  const body = Buffer.from(error.toJson());
  const headers = getDefaultHeaders(reply);
  Object.assign(headers, error.headers, {
    "content-type": "application/json",
    "content-length": String(body.length),
    "cache-control": "no-store",
  });
  if (!hasLongUnreadBody(request.raw)) {
    response.writeHead(error.status, headers).end(body);
    return;
  }
  response.writeHead(error.status, { ...headers, connection: "close" });
  const { socket } = response;
  // An answer that waits behind another on its connection (pipelining) must not end that one.
  if (!socket) {
    response.end(body);
    return;
  }
  response.write(body);
  closeLingering(request.raw, response, socket);
}

/**
 * Closes our half of a connection whose request is still arriving, as nginx's `lingering_close` does. The FIN leaves with
 * the answer: without it Bun 1.3 sends its next request over this connection, in spite of `connection: close`. Then the
 * body is discarded for a while, because to close a socket with unread bytes is to reset it.
 */
function closeLingering(message: IncomingMessage, response: ServerResponse, socket: Socket): void {
  // Node holds back what is written until the end of the tick, and would drop it if the socket ended before.
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
    : Number(declared) > READ_AWAY_BYTES;
}
