import type { FastifyRequest } from "fastify";
import type { Actor } from "../keys/managed-key.ts";

/** Returns the author of a change that a request makes, for the audit table. */
export function getActor(request: FastifyRequest): Actor {
  return { actor: request.caller.key?.id ?? "", source: request.source };
}
