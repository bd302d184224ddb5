import { normalizeIP } from "@fastify/rate-limit";
import type { FastifyRequest } from "fastify";
import { getClientAddress } from "../http/client-address.ts";

/**
 * The caller's address as limits see it: one /64 network of IPv6 is one caller, or addresses could be changed at will. Read
 * it before the first `await`: a connection that was reset has no address.
 */
export function getLimitAddress(request: FastifyRequest): string {
  return normalizeIP(getClientAddress(request));
}

/**
 * Names the caller for limits on what one caller may hold at once: its gateway key, or its address without one. Keys that
 * callers bring themselves say nothing, because they can be invented.
 */
export function getCallerId(request: FastifyRequest): string {
  return request.context.keyId ?? getLimitAddress(request);
}
