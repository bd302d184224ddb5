import { isIP } from "node:net";
import { compile } from "@fastify/proxy-addr";
import type { FastifyRequest } from "fastify";
import { LRUCache } from "lru-cache";

/** Addresses whose trust is remembered: the library takes up to 10 µs for each. */
const REMEMBERED_MAX = 1_000;

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
 * @param networks addresses, CIDR networks and names that `isProxyNetwork` accepts.
 */
export function createProxyTrust(networks: readonly string[]): (address: string | undefined) => boolean {
  // Without zones, as parseAddress returns addresses: the library compares them.
  const isInNetworks = compile(networks.map((network) => network.replace(/%[^/]*/, "")));
  const remembered = new LRUCache<string, boolean>({ max: REMEMBERED_MAX });
  return (entry) => {
    const address = parseAddress(entry ?? "");
    if (address === undefined) return false;
    const known = remembered.get(address);
    if (known !== undefined) return known;
    const isTrusted = isInNetworks(address, 0);
    remembered.set(address, isTrusted);
    return isTrusted;
  };
}

/**
 * The caller's IP address: what a trusted proxy says, or that of the connection if it says none. Empty when the connection
 * was reset, so read it before the first `await`.
 */
export function getClientAddress(request: FastifyRequest): string {
  return parseAddress(request.ip ?? "") ?? request.raw.socket.remoteAddress ?? "";
}
