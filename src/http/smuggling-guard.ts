import type { IncomingMessage } from "node:http";
import type { FastifyInstance } from "fastify";
import { GatewayError } from "../errors.ts";

/**
 * Headers that Node reads only the first of. A proxy in front may read the last, and then the two of them disagree on
 * who is calling, for whom, and what the body is (RFC 9110, section 5.3; RFC 9112, section 3.2).
 */
const ONCE: ReadonlySet<string> = new Set(["host", "authorization", "content-type"]);

/**
 * As Apache (LimitRequestFields) and HAProxy (tune.http.maxhdr) have it by default. Each header takes some 75 bytes besides its
 * text until the response has ended, and Node's own limit is 1,000.
 */
const HEADERS_MAX = 100;

/**
 * Refuses requests that a proxy in front may understand otherwise than Node does, and closes their connections: what one
 * takes for the end of a request, the other may take for the beginning of the next.
 */
export function guardAgainstSmuggling(app: FastifyInstance): void {
  app.server.maxHeadersCount = HEADERS_MAX + 1;
  app.addHook("onRequest", (request, reply, done) => {
    const refusal = findAmbiguity(request.raw);
    if (refusal) reply.header("connection", "close");
    done(refusal);
  });
}

function findAmbiguity(message: IncomingMessage): GatewayError | undefined {
  const { headers, method, httpVersion, rawHeaders } = message;
  if (rawHeaders.length > 2 * HEADERS_MAX)
    return new GatewayError("headers_too_large", `Send at most ${HEADERS_MAX} headers.`);
  const repeated = findRepeatedHeader(rawHeaders);
  if (repeated === "content-type")
    return new GatewayError("unsupported_media_type", "Send one Content-Type header.");
  if (repeated !== undefined) return new GatewayError("bad_request", `Send one ${repeated} header.`);
  // Node's own answer to this has neither a body nor an id.
  if (headers.host === undefined && httpVersion === "1.1")
    return new GatewayError("bad_request", "Send a Host header.");
  const chunked = headers["transfer-encoding"] !== undefined;
  if (chunked && httpVersion !== "1.1") {
    return new GatewayError("bad_request", "Transfer-Encoding needs HTTP/1.1; send a Content-Length.");
  }
  if ((method === "GET" || method === "HEAD") && (chunked || Number(headers["content-length"] ?? 0) > 0)) {
    return new GatewayError("bad_request", `Send a ${method} request without a body.`);
  }
  return undefined;
}

function findRepeatedHeader(rawHeaders: readonly string[]): string | undefined {
  const seen: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? "";
    // Most names are told apart by their length alone.
    if (name.length !== 4 && name.length !== 13 && name.length !== 12) continue;
    const lower = name.toLowerCase();
    if (!ONCE.has(lower)) continue;
    if (seen.includes(lower)) return lower;
    seen.push(lower);
  }
  return undefined;
}
