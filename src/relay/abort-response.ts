import type { ServerResponse } from "node:http";

/** Time after which an aborted connection is destroyed if its client does not read. */
const LINGER_MS = 5_000;

/**
 * Ends a response so that the client sees that it is incomplete: the bytes written so far are delivered, and then the
 * connection closes without the terminating chunk. A clean end would look like success to every SDK.
 * @param lastEvents SSE events to send first. Only at an event boundary: otherwise it would complete a partial event.
 */
export function abortResponse(response: ServerResponse, lastEvents?: string): void {
  const socket = response.socket;
  if (!socket || socket.destroyed) {
    response.destroy();
    return;
  }
  if (lastEvents !== undefined) response.write(lastEvents);
  const linger = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(linger));
  // Node buffers writes until the end of the tick, and would drop them if the socket ended before.
  process.nextTick(() => {
    // HTTP/1.0 has no chunks: the end of the connection is the end of the body, and only a reset signals an incomplete one.
    if (response.req.httpVersionMinor === 0) socket.write("", () => socket.resetAndDestroy());
    else socket.destroySoon();
  });
}
