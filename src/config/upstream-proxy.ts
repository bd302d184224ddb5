import { BlockList, isIP } from "node:net";

/** The proxy settings of the environment, each as it is set. */
export interface ProxySettings {
  readonly HTTPS_PROXY?: string | undefined;
  readonly HTTP_PROXY?: string | undefined;
  readonly NO_PROXY?: string | undefined;
}

/** Whether a text is the URL of a proxy, with or without its scheme. */
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

/** The URL of a proxy; `host:port` without a scheme means http, as for curl. */
export function normalizeProxyUrl(value: string): string {
  return value.includes("://") ? value : `http://${value}`;
}

/**
 * The proxy for requests to a URL, by the rules of undici's EnvHttpProxyAgent: `HTTP_PROXY` also serves https when
 * `HTTPS_PROXY` is not set, and `NO_PROXY` exempts hosts. Networks such as `10.0.0.0/8` are understood besides.
 * @returns undefined: none.
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
  // Two colons or more without brackets are an IPv6 address, not a port.
  const [, bracketed, plain, ofPort] = /^(?:\[(.+)\]|([^:]*|[^:]*:[^:]*:.*))(?::(\d+))?$/.exec(entry) ?? [];
  if (ofPort !== undefined && ofPort !== port) return false;
  const name = (bracketed ?? plain ?? "").replace(/\.$/, "");
  if (name === "*") return true;
  if (name === "") return false;
  const suffix = name.replace(/^\*?\./, "");
  // `*.example.com` leaves out example.com itself; `.example.com` does not.
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
