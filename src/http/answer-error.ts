import type { IncomingMessage } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { GatewayError } from "../errors.ts";
import { ownHeadersOf } from "./own-headers.ts";

/** A body up to this long is read and thrown away so that the connection can be used again. */
const READ_AWAY_BYTES = 65_536;
/** How long a caller that is still sending may take to notice the answer. */
const LINGER_MS = 2_000;

/**
 * Answers with an error in OpenAI's shape, also when the request's body has not been read: then the answer leaves before
 * the body has arrived, reading stops, and the connection closes when the caller has had time to see the answer. Closing
 * at once would reset the connection, and a caller in the middle of an upload would lose the answer.
 */
export function answerError(request: FastifyRequest, reply: FastifyReply, error: GatewayError): void {
  const response = reply.raw;
  if (response.headersSent || response.destroyed) return;
  reply.hijack();
  request.exchange.fail(error);
  const body = Buffer.from(error.toJson());
  const headers = ownHeadersOf(reply);
  Object.assign(headers, error.headers, {
    "content-type": "application/json",
    "content-length": String(body.length),
    "cache-control": "no-store",
  });
  if (!hasLongUnreadBody(request.raw)) {
    response.writeHead(error.status, headers).end(body);
    return;
  }
  response.writeHead(error.status, { ...headers, connection: "close" }).write(body);
  request.raw.pause();
  const linger = setTimeout(() => response.end(), LINGER_MS);
  response.once("close", () => clearTimeout(linger));
}

function hasLongUnreadBody(message: IncomingMessage): boolean {
  if (message.complete) return false;
  const declared = message.headers["content-length"];
  return declared === undefined
    ? message.headers["transfer-encoding"] !== undefined
    : Number(declared) > READ_AWAY_BYTES;
}
