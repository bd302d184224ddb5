import { isIP } from "node:net";
import { compile } from "@fastify/proxy-addr";
import type { FastifyRequest } from "fastify";
import { LRUCache } from "lru-cache";

/** Maximum number of cached addresses. Without the cache, the library takes up to 10 µs to match an address. */
const CACHE_MAX = 1_000;

/**
 * Parses the IP address in an entry of `X-Forwarded-For`. Some proxies (Azure's, some ALBs) append the client's port, which
 * changes with each connection. An IPv6 address may be in brackets and may have a zone.
 * @returns undefined if the entry contains no address.
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
 * Creates Fastify's `trustProxy` function, which tells whether an address belongs to a trusted proxy. Fastify calls it
 * without an address if the connection was reset.
 * @param networks addresses, CIDR networks and names that `isProxyNetwork` accepts.
 */
export function createProxyTrust(networks: readonly string[]): (address: string | undefined) => boolean {
  // The library compares zones. parseAddress() removes them from addresses, so they are removed from networks as well.
  const isInNetworks = compile(networks.map((network) => network.replace(/%[^/]*/, "")));
  const trusted = new LRUCache<string, boolean>({ max: CACHE_MAX });
  return (entry) => {
    const address = parseAddress(entry ?? "");
    if (address === undefined) return false;
    const known = trusted.get(address);
    if (known !== undefined) return known;
    const isTrusted = isInNetworks(address, 0);
    trusted.set(address, isTrusted);
    return isTrusted;
  };
}

/**
 * Returns the client's IP address: the one that a trusted proxy forwards, or else the peer address of the connection. Call
 * this before the first `await`, because it returns an empty text if the connection was reset.
 */
export function getClientAddress(request: FastifyRequest): string {
  return parseAddress(request.ip ?? "") ?? request.raw.socket.remoteAddress ?? "";
}
