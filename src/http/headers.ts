import type { IncomingHttpHeaders } from "node:http";

/**
 * Selects the headers that the gateway forwards. An allow-list selects request headers, because an unknown header may be a
 * credential, or an instruction to upstream that the client must not give. A deny-list selects response headers, because
 * an unknown header is part of the response.
 */

/** Headers as Node's `writeHead` accepts them, with lower-case names. */
export type HeaderMap = Record<string, string | string[]>;

/** Request headers that OpenRouter reads. */
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

/** Response headers that are not forwarded, in addition to `cf-*` (of upstream's edge) and `access-control-*` (of its site). */
const STOPPED: ReadonlySet<string> = new Set([
  // Hop-by-hop headers (RFC 9110, section 7.6.1), which describe the connection to upstream.
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  // Node frames the body itself, and the length of a streamed body is unknown.
  "content-length",
  // Headers of upstream's site and edge, not of the API: cookies, transport policy, caching, error reports.
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
  // Headers that the gateway sets itself.
  "x-request-id",
  "server-timing",
  "x-accel-buffering",
]);

/** Header values that Node accepts. Node throws for any other value, because such a value could split the response. */
const SAFE_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Headers that the gateway adds to every upstream request. */
export interface OutgoingDefaults {
  /** The whole `Authorization` value; if undefined, the request has no such header. */
  readonly authorization: string | undefined;
  readonly referer: string | undefined;
  readonly title: string | undefined;
  /** Prefix of further headers of the client that are forwarded. */
  readonly prefix?: string | undefined;
}

const USER_AGENT = "sluice";

/**
 * Returns the headers of an upstream request: the client's headers that are allowed, then those of the gateway.
 * @param incoming the client's headers.
 * @param ours headers of the gateway; the client's `HTTP-Referer` and title take precedence.
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
  if (ours.prefix !== undefined) addPrefixed(headers, incoming, ours.prefix);
  if (ours.referer !== undefined) headers["http-referer"] ??= ours.referer;
  if (ours.title !== undefined && headers["x-openrouter-title"] === undefined)
    headers["x-title"] ??= ours.title;
  headers["user-agent"] = USER_AGENT;
  // Only an uncompressed response can be checked for completeness and read for its cost.
  headers["accept-encoding"] = "identity";
  if (ours.authorization !== undefined) headers["authorization"] = ours.authorization;
  return headers;
}

function addPrefixed(headers: Record<string, string>, incoming: IncomingHttpHeaders, prefix: string): void {
  for (const name of Object.keys(incoming)) {
    const value = incoming[name];
    if (name.startsWith(prefix) && typeof value === "string" && SAFE_VALUE.test(value)) headers[name] = value;
  }
}

/**
 * Headers that state a limit, of the kind "", "-requests" or "-tokens". Those of one kind are from the gateway or from
 * upstream, never mixed.
 */
const LIMIT_HEADER = /^x-ratelimit-(?:limit|remaining|reset)(-requests|-tokens|)$/;
const LIMIT_FIELDS = ["limit", "remaining", "reset"] as const;

/**
 * Adds the headers of upstream's response that may be forwarded. They replace headers of the gateway with the same name,
 * except the limits on requests and tokens under OpenAI's names, which are those of the gateway if it has such limits.
 * @param ours the gateway's headers, changed in place.
 * @param upstream headers with lower-case names, as undici returns them.
 */
export function addUpstreamHeaders(ours: HeaderMap, upstream: IncomingHttpHeaders): HeaderMap {
  // undici returns a repeated header as an array, although the type does not allow it.
  const named = [upstream.connection as string | readonly string[] | undefined].flat().join(",");
  const connection = named === "" ? [] : named.toLowerCase().split(/[\s,]+/);
  const ownKinds = ["-requests", "-tokens"].filter((kind) => `x-ratelimit-limit${kind}` in ours);
  for (const name of Object.keys(upstream)) {
    const value = upstream[name];
    if (value === undefined || STOPPED.has(name) || connection.includes(name)) continue;
    if (name.startsWith("cf-") || name.startsWith("access-control-")) continue;
    if (name.startsWith("x-ratelimit-")) {
      const kind = LIMIT_HEADER.exec(name)?.[1];
      if (kind !== undefined && ownKinds.includes(kind)) continue;
      if (kind === "") removeOtherLimits(ours, upstream);
    }
    if (Array.isArray(value) ? value.every((one) => SAFE_VALUE.test(one)) : SAFE_VALUE.test(value))
      ours[name] = value;
  }
  return ours;
}

/** Removes the gateway's headers of limits without a kind that upstream does not replace. */
function removeOtherLimits(ours: HeaderMap, upstream: IncomingHttpHeaders): void {
  for (const field of LIMIT_FIELDS)
    if (upstream[`x-ratelimit-${field}`] === undefined) delete ours[`x-ratelimit-${field}`];
}
