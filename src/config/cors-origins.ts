/** An origin, or a pattern for origins: scheme, host, and optionally a port, which may be `*`. */
const ORIGIN = /^(?<scheme>[a-z][\da-z+.-]*):\/\/(?<host>\[[\d:a-f]+\]|[!-~]+?)(?::(?<port>\d{1,5}|\*))?$/;
/** Characters that are invalid in a host although `ORIGIN` accepts them. */
const NO_HOST = /["#%/:<>?@[\\\]^`{|}]/;
const WEB = /^https?$/;
/** The origin that Electron and Cordova send for pages loaded from disk. */
const FILE = "file://";

const CAPITALS = "must be in lower case, as browsers send it";
const FORM =
  "must be an origin as browsers send it: scheme, host and port, such as https://app.example.com, or *";

/**
 * Finds the mistake in an item of `CORS_ORIGINS`. Origins are compared byte by byte with the header that browsers send, so
 * an item in any other spelling would never match.
 * @returns a phrase that completes the sentence "<item> ...", such as "must not end in a slash"; undefined if the item is valid.
 */
export function findOriginMistake(item: string): string | undefined {
  if (item === "*" || item === FILE) return undefined;
  if (item === "null")
    return "must not be null, which every website can send from a sandboxed frame; serve the page from an origin such as http://localhost";
  if (/^[^/]+:\/\/[^/]+\/$/.test(item))
    return "must not end in a slash, which no browser sends; leave it out";
  const { scheme = "", host = "", port } = ORIGIN.exec(item)?.groups ?? {};
  if (WEB.test(scheme)) return findWebMistake(scheme, host, port);
  if (/^[\w+.-]*[A-Z][\w+.-]*:\/\//.test(item)) return CAPITALS;
  if (host === "" || NO_HOST.test(host) || /^(?:wss?|ftp|file)$/.test(scheme)) return FORM;
  return isStarred(host) && host !== "*" ? findStarMistake(host) : undefined;
}

function findWebMistake(scheme: string, host: string, port: string | undefined): string | undefined {
  const star = isStarred(host) ? findStarMistake(host) : undefined;
  if (star !== undefined) return star;
  const sample = host.replace("*", "any");
  const numbered = port === undefined || port === "*" ? sample : `${sample}:${port}`;
  const url = URL.parse(`${scheme}://${numbered}`);
  if (!url || url.username + url.password + url.search + url.hash !== "" || url.pathname !== "/") return FORM;
  if (url.host === numbered) return undefined;
  if (/[A-Z]/.test(host)) return CAPITALS;
  return url.hostname === sample
    ? "must not name the default port, which no browser sends; leave it out"
    : FORM;
}

function isStarred(host: string): boolean {
  return host.includes("*");
}

function findStarMistake(host: string): string | undefined {
  return /^\*\.[^*]+$/.test(host)
    ? undefined
    : "has a star in the wrong place; a star can be all subdomains, as in https://*.example.com, or the port, as in http://localhost:*";
}

/**
 * Creates a function that tests whether the origin of a page is allowed.
 * @param items valid as defined by {@link findOriginMistake}: origins, `*`, and patterns. In a pattern, `*.` matches one or
 * more subdomains, `:*` matches any port or none, and the host `*` of a scheme other than http and https, as in
 * `chrome-extension://*`, matches any host.
 */
export function createOriginMatcher(items: readonly string[]): (origin: string) => boolean {
  const exact = new Set(items);
  if (exact.has("*")) return () => true;
  const patterns = items.filter(isStarred).map(compilePattern);
  return (origin) => exact.has(origin) || patterns.some((pattern) => pattern.test(origin));
}

function compilePattern(item: string): RegExp {
  const { scheme = "", host = "", port } = ORIGIN.exec(item)?.groups ?? {};
  const hosts =
    host === "*" ? String.raw`[\w.-]+` : RegExp.escape(host).replace(/^\\\*\\\./, String.raw`(?:[\w-]+\.)+`);
  const ports = port === "*" ? String.raw`(?::\d{1,5})?` : port === undefined ? "" : `:${port}`;
  return new RegExp(`^${RegExp.escape(scheme)}://${hosts}${ports}$`);
}
