import { lookup } from "node:dns/promises";

/**
 * Resolves `localhost` to one address. Given the name, Fastify would create a second server, which would have none of the
 * listeners and limits of the first one. The second server would read bodies before authentication, and delay the shutdown.
 */
export async function resolveListenAddress(host: string): Promise<string> {
  return host === "localhost" ? (await lookup(host, { order: "ipv4first" })).address : host;
}
