import type { FastifyRequest } from "fastify";
import { getLimitAddress } from "./rate-limit.ts";

/**
 * Names the caller for limits on what one caller may hold at once: its gateway key, or its address without one. Keys that
 * callers bring themselves say nothing, because they can be invented.
 */
export function getCallerId(request: FastifyRequest): string {
  return request.context.keyId ?? getLimitAddress(request);
}
