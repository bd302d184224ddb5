import type { FastifyInstance } from "fastify";
import { GatewayError } from "../errors.ts";
import type { Limit } from "../limits/rate-limit.ts";

/** Answers a URL that no route has, before its body is read; addresses that keep asking are held off. */
export function refuseUnknownUrls(app: FastifyInstance, unknownUrls: Limit): void {
  app.addHook("onRequest", async (request) => {
    if (!request.is404) return;
    await unknownUrls.consume(request);
    throw new GatewayError(
      "unknown_url",
      "There is nothing at this URL; the API is at /openai/v1/chat/completions and /openai/v1/models.",
    );
  });
}
