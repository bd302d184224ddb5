import type { IncomingHttpHeaders } from "node:http";

/**
 * Which headers cross the gateway. Requests go out by an allow-list, because a header we do not know may be a credential
 * or an instruction to upstream that the caller has no right to give. Answers come back by a deny-list, because a header
 * we do not know is part of the answer.
 */

/** A header set as it is handed to Node: lower-case names, one value each. */
export type HeaderMap = Record<string, string | string[]>;

/** Headers of a caller that OpenRouter reads, and the two that describe the body and the answer. */
const FORWARDED = [
  "accept",
  "content-type",
  "http-referer",
  "x-title",
  "x-openrouter-title",
  "x-openrouter-categories",
  "x-openrouter-metadata",
  // The former name of x-openrouter-metadata, still read.
  "x-openrouter-experimental-metadata",
  "x-openrouter-cache",
  "x-openrouter-cache-ttl",
  "x-openrouter-cache-clear",
  "x-session-id",
  "x-anthropic-beta",
] as const;

/** Headers of upstream's answer that end here, besides `cf-*` (its edge) and `access-control-*` (its site). */
const STOPPED: ReadonlySet<string> = new Set([
  // Hop-by-hop (RFC 9110, section 7.6.1): they speak of the connection to upstream.
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  // The body is re-framed: what is streamed has no length.
  "content-length",
  // Of upstream's site and edge, not of the answer: cookies, cross-origin and transport policy, reports.
  "set-cookie",
  "server",
  "via",
  "alt-svc",
  "date",
  "nel",
  "report-to",
  "reporting-endpoints",
  "strict-transport-security",
  "x-powered-by",
  "vary",
  // The gateway's own.
  "x-request-id",
  "server-timing",
  "x-accel-buffering",
]);

/** What Node lets into a header value; anything else could split the answer or kill it with an exception. */
const SAFE_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** What the gateway adds to every request to upstream. */
export interface OutgoingDefaults {
  /** The whole `Authorization` value; undefined forwards none. */
  readonly authorization: string | undefined;
  readonly referer: string | undefined;
  readonly title: string | undefined;
}

const USER_AGENT = "sluice";

/**
 * Headers of a request to upstream: the caller's by allow-list, then ours.
 * @param incoming the caller's headers.
 */
export function toUpstreamHeaders(
  incoming: IncomingHttpHeaders,
  ours: OutgoingDefaults,
): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of FORWARDED) {
    const value = incoming[name];
    if (typeof value === "string" && SAFE_VALUE.test(value)) headers[name] = value;
  }
  if (ours.referer !== undefined) headers["http-referer"] ??= ours.referer;
  if (ours.title !== undefined && headers["x-openrouter-title"] === undefined)
    headers["x-title"] ??= ours.title;
  headers["user-agent"] = USER_AGENT;
  // The relay never looks into an encoding: plain bytes can be checked for their end, and metered.
  headers["accept-encoding"] = "identity";
  if (ours.authorization !== undefined) headers["authorization"] = ours.authorization;
  return headers;
}

/**
 * Adds the headers of upstream's response to those of ours.
 * @param ours the gateway's own headers, changed in place; upstream's win but for those that are stopped.
 * @param upstream lower-case names, as undici gives them.
 */
export function addUpstreamHeaders(ours: HeaderMap, upstream: IncomingHttpHeaders): HeaderMap {
  // undici gives a header that comes twice as an array, whatever its type says.
  const named = [upstream.connection as string | readonly string[] | undefined].flat().join(",");
  const connection = named === "" ? [] : named.toLowerCase().split(/[\s,]+/);
  for (const name of Object.keys(upstream)) {
    const value = upstream[name];
    if (value === undefined || STOPPED.has(name) || connection.includes(name)) continue;
    if (name.startsWith("cf-") || name.startsWith("access-control-")) continue;
    if (Array.isArray(value) ? value.every((one) => SAFE_VALUE.test(one)) : SAFE_VALUE.test(value))
      ours[name] = value;
  }
  return ours;
}
