import type { ServerResponse } from "node:http";
import type { GatewayError } from "../errors.ts";

/** How long a caller that does not read may keep a connection that is being broken off. */
const LINGER_MS = 5_000;

/**
 * Ends an answer that can never be complete, so that it cannot be taken for a complete one: what was written is
 * delivered, then the connection ends without the terminating chunk. A clean end would look like success to every SDK.
 * @param lastEvent an SSE event to send before; only at an event boundary, or it would make a half event whole.
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
  // Node holds back what is written until the end of the tick, and would drop it if the socket ended before.
  process.nextTick(() => {
    // HTTP/1.0 has no chunks: there the end of the connection is the end of the body, and only a reset says "broken".
    if (response.req.httpVersionMinor === 0) socket.write("", () => socket.resetAndDestroy());
    else socket.destroySoon();
  });
}

/** The event that tells a reader of a stream why it ends here. Never `[DONE]`. */
export function formatErrorEvent(error: GatewayError): string {
  return `data: ${error.toEventJson()}\n\n`;
}
