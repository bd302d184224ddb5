import type { IncomingHttpHeaders } from "node:http";
import { GatewayError } from "../errors.ts";

/** The parts of a request that show which page has sent it. */
interface RequestOrigin {
  readonly method: string;
  /** Host and port that the client requested, from a trusted proxy or from the header `Host`. */
  readonly host: string;
  readonly headers: IncomingHttpHeaders;
}

/** Methods that change nothing. */
const SAFE: ReadonlySet<string> = new Set(["GET", "HEAD"]);

/**
 * Refuses a request that a page of another origin may have sent with the cookie of the dashboard. `SameSite=Strict` does not
 * stop a page of the same site, such as one of another port or of a sibling subdomain. Browsers send `sec-fetch-site` to https
 * URLs and to localhost. To other URLs, they send `Origin` with all requests except those of a GET by the gateway's own page.
 * @throws GatewayError 403.
 */
export function requireSameOrigin(request: RequestOrigin): void {
  if (!isSameOrigin(request)) throw new GatewayError("cross_origin_request");
}

function isSameOrigin({ method, host, headers }: RequestOrigin): boolean {
  const { "sec-fetch-site": site, origin } = headers;
  // The value is `none` for a URL that the user has entered.
  if (site !== undefined) return site === "same-origin" || (site === "none" && SAFE.has(method));
  return origin === undefined ? SAFE.has(method) : isOwnOrigin(origin, host);
}

/** Compares hosts only, because a proxy may terminate TLS without stating the scheme. */
function isOwnOrigin(origin: string, host: string): boolean {
  const page = URL.parse(origin);
  if (page === null || host === "") return false;
  // Parsed with the scheme of the page, because some proxies forward the default port in `Host`.
  return page.host === URL.parse(`${page.protocol}//${host}`)?.host;
}
