import { randomUUID } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { GatewayError } from "../errors.ts";
import { replyUnderWay } from "./exchange.ts";

/** What the log says of bytes that never became a request. */
interface ClientErrorRecord {
  readonly request_id: string;
  readonly status: number;
  readonly outcome: "rejected";
  readonly error: string;
}

/**
 * Answers bytes that Node cannot read as HTTP: a broken request line or body, headers that are too long, a request that
 * took too long to arrive. The connection always closes, because nothing after the fault can be trusted. No byte is
 * echoed, and nothing is written once an answer has begun: it would end up inside that answer.
 * @param error Node's parser error.
 * @returns what to log of bytes that never became a request; a request that did has a line of its own.
 */
export function answerClientError(
  error: Error & { code?: string },
  socket: Socket,
): ClientErrorRecord | undefined {
  const reply = replyUnderWay(socket);
  // A connection that was opened ahead of need, as load balancers do, asked nothing: an answer would meet its first request.
  const neverAsked = socket.bytesRead === 0;
  if (!socket.writable || neverAsked || error.code === "ECONNRESET" || reply?.raw.headersSent) {
    socket.destroy();
    return undefined;
  }
  const answer = toGatewayError(error);
  const body = answer.toJson();
  const requestId = reply?.request.id ?? randomUUID();
  reply?.request.exchange.fail(answer);
  const head = {
    connection: "close",
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "x-request-id": requestId,
  };
  if (reply) {
    reply.hijack().raw.writeHead(answer.status, head).end(body);
    return undefined;
  }
  const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}\r\n`);
  const statusLine = `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? ""}\r\n`;
  socket.end(`${statusLine}${lines.join("")}\r\n${body}`, () => socket.destroy());
  return { request_id: requestId, status: answer.status, outcome: "rejected", error: answer.code };
}

function toGatewayError({ code }: Error & { code?: string }): GatewayError {
  if (code === "HPE_HEADER_OVERFLOW")
    return new GatewayError("headers_too_large", "The request's headers are too long.");
  if (code === "ERR_HTTP_REQUEST_TIMEOUT")
    return new GatewayError("request_timeout", "The request took too long to arrive.");
  return new GatewayError("bad_request", "The request is not valid HTTP/1.1.");
}
