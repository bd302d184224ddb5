import { normalizeIP } from "@fastify/rate-limit";
import type { FastifyRequest } from "fastify";
import { getClientAddress } from "../http/client-address.ts";

/**
 * Returns the address by which limits count a caller. All addresses of an IPv6 /64 network count as one, because a client
 * can use any of them. Call this function before the first `await`: a connection that has been reset has no address.
 */
export function getLimitAddress(request: FastifyRequest): string {
  return normalizeIP(getClientAddress(request));
}

/**
 * Returns the caller for limits on concurrent requests and memory: the id of the gateway key, or the address if there is
 * none. In own-key mode a key does not identify a caller, because a client can invent any number of keys.
 */
export function getCallerId(request: FastifyRequest): string {
  return request.context.keyId ?? getLimitAddress(request);
}
