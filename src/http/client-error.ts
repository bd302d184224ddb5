import { randomUUID } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { GatewayError } from "../errors.ts";
import { findActiveRequest } from "./active-requests.ts";

const CLOSE = { headers: { connection: "close" } };

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
export function sendClientError(
  error: Error & { code?: string },
  socket: Socket,
): ClientErrorRecord | undefined {
  const context = findActiveRequest(socket);
  if (!socket.writable || error.code === "ECONNRESET" || context?.headersSent || !isAsking(error, socket)) {
    socket.destroy();
    return undefined;
  }
  const rejection = toGatewayError(error);
  if (context) {
    context.respondWithError(rejection);
    return undefined;
  }
  const body = rejection.toJson();
  const requestId = randomUUID();
  socket.end(
    `HTTP/1.1 ${rejection.status} ${STATUS_CODES[rejection.status] ?? ""}\r\nconnection: close\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nx-request-id: ${requestId}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
  return { request_id: requestId, status: rejection.status, outcome: "rejected", error: rejection.code };
}

/**
 * Whether an answer would be an answer to something. Load balancers open connections ahead of need, and a 408 on one of
 * those, or on one that was answered before, would be taken for the answer to the next request.
 */
function isAsking(error: { code?: string }, socket: Socket): boolean {
  if (socket.bytesRead === 0) return false;
  return (
    error.code !== "ERR_HTTP_REQUEST_TIMEOUT" ||
    findActiveRequest(socket) !== undefined ||
    socket.bytesWritten === 0
  );
}

function toGatewayError({ code }: Error & { code?: string }): GatewayError {
  if (code === "HPE_HEADER_OVERFLOW")
    return new GatewayError("headers_too_large", "The request's headers are too long.", CLOSE);
  if (code === "ERR_HTTP_REQUEST_TIMEOUT")
    return new GatewayError("request_timeout", "The request took too long to arrive.", CLOSE);
  return new GatewayError("bad_request", "The request is not valid HTTP/1.1.", CLOSE);
}
