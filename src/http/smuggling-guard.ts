import type { IncomingMessage } from "node:http";
import type { FastifyInstance } from "fastify";
import { GatewayError } from "../errors.ts";

/**
 * Headers of which Node uses only the first if they are repeated. A proxy in front of the gateway may use the last one. The
 * two would then disagree about the host, the credentials or the type of the body (RFC 9110, section 5.3; RFC 9112,
 * section 3.2).
 */
const ONCE: ReadonlySet<string> = new Set(["host", "authorization", "content-type"]);

/**
 * Maximum number of headers, as in Apache (LimitRequestFields) and HAProxy (tune.http.maxhdr). Node's default of 1,000 is
 * too high: until the response has ended, a header takes some 75 bytes in addition to its text.
 */
const HEADERS_MAX = 100;

/**
 * Rejects requests that a proxy in front of the gateway may parse differently from Node. Closes their connections, because
 * proxy and gateway may disagree about where one request ends and the next begins.
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
    return new GatewayError(
      "headers_too_large",
      `The request has more than ${HEADERS_MAX} headers; send fewer.`,
    );
  const repeated = findRepeatedHeader(rawHeaders);
  if (repeated === "content-type")
    return new GatewayError(
      "unsupported_media_type",
      "The request has more than one Content-Type header; send one.",
    );
  if (repeated !== undefined)
    return new GatewayError("bad_request", `The request has more than one ${repeated} header; send one.`);
  // Node's own response to such a request would have neither a body nor a request id.
  if (headers.host === undefined && httpVersion === "1.1")
    return new GatewayError("bad_request", "The request has no Host header; send one.");
  const chunked = headers["transfer-encoding"] !== undefined;
  if (chunked && httpVersion !== "1.1") {
    return new GatewayError("bad_request", "Transfer-Encoding requires HTTP/1.1; send a Content-Length.");
  }
  if ((method === "GET" || method === "HEAD") && (chunked || Number(headers["content-length"] ?? 0) > 0)) {
    return new GatewayError("bad_request", `A ${method} request cannot have a body; send it without one.`);
  }
  return undefined;
}

function findRepeatedHeader(rawHeaders: readonly string[]): string | undefined {
  const seen: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? "";
    // The length alone rules out most names, without the cost of `toLowerCase`.
    if (name.length !== 4 && name.length !== 13 && name.length !== 12) continue;
    const lower = name.toLowerCase();
    if (!ONCE.has(lower)) continue;
    if (seen.includes(lower)) return lower;
    seen.push(lower);
  }
  return undefined;
}
