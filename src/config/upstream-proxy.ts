import { BlockList, isIP } from "node:net";

/** The proxy variables of the environment. */
export interface ProxySettings {
  readonly HTTPS_PROXY?: string | undefined;
  readonly HTTP_PROXY?: string | undefined;
  readonly NO_PROXY?: string | undefined;
}

/** Whether a value is the URL of a proxy, with or without a scheme. */
export function isProxyUrl(value: string): boolean {
  const url = URL.parse(normalizeProxyUrl(value));
  if (url === null || !/^https?:$/.test(url.protocol) || url.pathname !== "/") return false;
  try {
    decodeURIComponent(url.username + url.password);
    return url.search + url.hash === "";
  } catch {
    return false;
  }
}

/** Adds `http://` to the URL of a proxy without a scheme, as curl does. */
export function normalizeProxyUrl(value: string): string {
  return value.includes("://") ? value : `http://${value}`;
}

/**
 * Selects the proxy for requests to a URL by the rules of undici's EnvHttpProxyAgent: `HTTP_PROXY` is also used for https if
 * `HTTPS_PROXY` is not set, and `NO_PROXY` exempts hosts. In addition, `NO_PROXY` may contain networks such as `10.0.0.0/8`.
 * @returns undefined if requests to the URL use no proxy.
 */
export function selectProxy(target: string, settings: ProxySettings): string | undefined {
  const url = new URL(target);
  const { HTTPS_PROXY, HTTP_PROXY, NO_PROXY = "" } = settings;
  const proxy = url.protocol === "https:" ? (HTTPS_PROXY ?? HTTP_PROXY) : HTTP_PROXY;
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  const isExempt = NO_PROXY.toLowerCase()
    .split(/[,\s]+/)
    .some((entry) => matches(entry, host, port));
  return isExempt ? undefined : proxy;
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry.includes("/")) return isWithin(host, entry);
  // An entry with two or more colons and no brackets is an IPv6 address without a port.
  const [, bracketed, plain, ofPort] = /^(?:\[(.+)\]|([^:]*|[^:]*:[^:]*:.*))(?::(\d+))?$/.exec(entry) ?? [];
  if (ofPort !== undefined && ofPort !== port) return false;
  const name = (bracketed ?? plain ?? "").replace(/\.$/, "");
  if (name === "*") return true;
  if (name === "") return false;
  const suffix = name.replace(/^\*?\./, "");
  // `*.example.com` does not match example.com itself; `.example.com` does.
  return (host === suffix && !name.startsWith("*")) || host.endsWith(`.${suffix}`);
}

function isWithin(host: string, network: string): boolean {
  const family = isIP(host) === 6 ? "ipv6" : "ipv4";
  const [address = "", bits = ""] = network.split("/");
  if (isIP(host) === 0 || isIP(address) !== isIP(host) || !/^\d{1,3}$/.test(bits)) return false;
  const list = new BlockList();
  try {
    list.addSubnet(address, Number(bits), family);
  } catch {
    return false;
  }
  return list.check(host, family);
}
