import type { RequestContext } from "../http/request-context.ts";
import type { HeaderMap } from "../http/headers.ts";

/**
 * Adds the headers that every relayed response has for the proxies and clients on its way.
 * @param headers the headers of the response, changed in place.
 */
export function addDeliveryHeaders(
  headers: HeaderMap,
  context: RequestContext,
  isEventStream: boolean,
): void {
  // Without this header, nginx buffers events, and the white space that OpenRouter sends to keep a long request alive.
  headers["x-accel-buffering"] = "no";
  if (isEventStream) headers["cache-control"] ??= "no-cache";
  headers["server-timing"] = `gateway;dur=${context.stopwatch.elapsedMs.toFixed(3)}`;
}
