import { BlockList, isIP } from "node:net";
import type { FastifyRequest } from "fastify";

/** The names that TRUST_PROXY takes for private networks. */
const NAMED_NETWORKS: Readonly<Record<string, readonly string[]>> = {
  loopback: ["127.0.0.0/8", "::1/128"],
  linklocal: ["169.254.0.0/16", "fe80::/10"],
  uniquelocal: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
};

/**
 * The IP address in an entry of `X-Forwarded-For`. Some proxies (Azure's, some ALBs) write the caller's port behind it,
 * which is another one for each connection; IPv6 can stand in brackets, and have a zone.
 * @returns undefined if there is no address in it.
 */
export function parseAddress(entry: string): string | undefined {
  const text = entry.trim().replace(/^"(.*)"$/, "$1");
  const inBrackets = /^\[([^\]]*)\](?::\d*)?$/.exec(text)?.[1];
  for (const candidate of [inBrackets ?? text, text.replace(/:\d*$/, "")]) {
    const address = candidate.replace(/%.*$/, "");
    if (isIP(address) !== 0) return address;
  }
  return undefined;
}

/**
 * Makes the function by which Fastify tells proxies from callers. Fastify calls it without an address when the connection
 * was reset.
 * @param networks addresses, CIDR networks and names, as `TRUST_PROXY` has them.
 */
export function createProxyTrust(networks: readonly string[]): (address: string | undefined) => boolean {
  const list = new BlockList();
  for (const network of networks.flatMap((one) => NAMED_NETWORKS[one] ?? [one])) {
    const [address = "", bits] = network.split("/");
    const family = familyOf(address);
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return (entry) => {
    const address = parseAddress(entry ?? "");
    return address !== undefined && list.check(address, familyOf(address));
  };
}

/**
 * The caller's IP address: what a trusted proxy says, or that of the connection if it says none. Empty when the connection
 * was reset, so read it before the first `await`.
 */
export function getClientAddress(request: FastifyRequest): string {
  return parseAddress(request.ip ?? "") ?? request.raw.socket.remoteAddress ?? "";
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 6 ? "ipv6" : "ipv4";
}
