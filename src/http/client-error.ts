import { randomUUID } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { GatewayError } from "../errors.ts";
import { findActiveRequest } from "./active-requests.ts";

const CLOSE = { headers: { connection: "close" } };

/** Log fields for bytes that Node could not parse as a request. */
interface ClientErrorRecord {
  readonly request_id: string;
  readonly status: number;
  readonly outcome: "rejected";
  readonly error: string;
}

/**
 * Sends an error for bytes that Node cannot parse as HTTP: an invalid request line or body, headers that are too long, a
 * request that took too long to arrive. The connection always closes, because the bytes after the fault cannot be trusted.
 * The error repeats no received byte. If a response has begun, no error is sent, because its bytes would become a part of
 * that response.
 * @param error Node's parser error.
 * @returns the fields to log, or undefined if nothing was sent or the request has a context and thus its own log line.
 */
export function sendClientError(
  error: Error & { code?: string },
  socket: Socket,
): ClientErrorRecord | undefined {
  const context = findActiveRequest(socket);
  if (
    !socket.writable ||
    error.code === "ECONNRESET" ||
    context?.headersSent ||
    !expectsResponse(error, socket)
  ) {
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
 * Whether the client waits for a response. Load balancers open connections in advance and keep them open between requests.
 * They would take a 408 on such a connection for the response to their next request.
 */
function expectsResponse(error: { code?: string }, socket: Socket): boolean {
  if (socket.bytesRead === 0) return false;
  return (
    error.code !== "ERR_HTTP_REQUEST_TIMEOUT" ||
    findActiveRequest(socket) !== undefined ||
    socket.bytesWritten === 0
  );
}

function toGatewayError({ code }: Error & { code?: string }): GatewayError {
  if (code === "HPE_HEADER_OVERFLOW")
    return new GatewayError(
      "headers_too_large",
      "The request's headers are too long; send fewer or shorter ones.",
      CLOSE,
    );
  if (code === "ERR_HTTP_REQUEST_TIMEOUT")
    return new GatewayError("request_timeout", "The request took too long to arrive; send it again.", CLOSE);
  return new GatewayError(
    "bad_request",
    "The request is not valid HTTP/1.1; check its request line, headers and framing.",
    CLOSE,
  );
}
