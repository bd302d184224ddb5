import type { Socket } from "node:net";
import { GatewayError } from "../errors.ts";
import { requestIdOf } from "./request-id.ts";

/**
 * Answers bytes that never became a request: broken HTTP, headers that are too long, a request that took too long to
 * arrive. The connection always closes, because nothing after the fault can be trusted. No byte is echoed.
 * @param error Node's parser error. @returns what was answered and under which id, for the log.
 */
export function answerClientError(
  error: Error & { code?: string },
  socket: Socket,
): { error: GatewayError; requestId: string } {
  const answer = toGatewayError(error);
  const requestId = requestIdOf({ headers: {} });
  if (socket.writable && error.code !== "ECONNRESET") {
    const body = answer.toJson();
    const reason =
      { 400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large" }[answer.status] ??
      "";
    socket.write(
      `HTTP/1.1 ${answer.status} ${reason}\r\nconnection: close\r\ncontent-type: application/json\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\nx-request-id: ${requestId}\r\n\r\n${body}`,
    );
  }
  socket.destroySoon();
  return { error: answer, requestId };
}

function toGatewayError({ code }: Error & { code?: string }): GatewayError {
  if (code === "HPE_HEADER_OVERFLOW")
    return new GatewayError("headers_too_large", "The request's headers are too long.");
  if (code === "ERR_HTTP_REQUEST_TIMEOUT")
    return new GatewayError("request_timeout", "The request took too long to arrive.");
  return new GatewayError("bad_request", "The request is not valid HTTP/1.1.");
}
