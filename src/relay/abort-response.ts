import type { ServerResponse } from "node:http";
import type { GatewayError } from "../errors.ts";

/** Time after which an aborted connection is destroyed if its client does not read. */
const LINGER_MS = 5_000;

/**
 * Ends a response in a way that shows the client that it is incomplete. The client receives the bytes written so far, and then
 * the connection closes without the terminating chunk. A clean end would look like success to every SDK.
 * @param lastEvent an SSE event to send before the connection closes. Pass it only if the stream is between two events:
 * otherwise it would become the end of a partial event.
 */
export function abortResponse(response: ServerResponse, lastEvent?: string): void {
  const socket = response.socket;
  if (!socket || socket.destroyed) {
    response.destroy();
    return;
  }
  if (lastEvent !== undefined) response.write(lastEvent);
  const linger = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(linger));
  // Node buffers writes until the end of the tick, and drops them if the socket is destroyed before that.
  process.nextTick(() => {
    // HTTP/1.0 has no chunks: the body ends when the connection closes, so only a reset shows that the body is incomplete.
    if (response.req.httpVersionMinor === 0) socket.write("", () => socket.resetAndDestroy());
    else socket.destroySoon();
  });
}

/** Returns the SSE event that states why a stream is aborted. It is never `[DONE]`. */
export function formatErrorEvent(error: GatewayError): string {
  return `data: ${error.toEventJson()}\n\n`;
}
