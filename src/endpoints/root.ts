import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { getOrigin } from "../http/base-url.ts";
import { ANTHROPIC_CLIENT_PATH, DOCUMENTED_BASE_PATH } from "./base-paths.ts";
import { rejectOtherMethods } from "./method-not-allowed.ts";

/** URLs that clients request to test a base URL: Claude Code sends `HEAD` to its base URL. */
const ROOT_URLS = ["/", ANTHROPIC_CLIENT_PATH];

export interface RootOptions {
  /** Whether the gateway serves `/docs`. */
  readonly hasDocumentation: boolean;
  /** Whether the gateway serves `/dashboard`. */
  readonly hasDashboard: boolean;
}

/** Registers `GET` and `HEAD` of the root, which state what this server is. They need no key and reveal no version. */
export function registerRoot(app: FastifyInstance, options: RootOptions): void {
  const handler = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const origin = getOrigin(request);
    return reply.send({
      name: "Sluice",
      description: "A gateway to OpenRouter for clients of OpenAI's and Anthropic's APIs",
      base_urls: {
        openai: `${origin}${DOCUMENTED_BASE_PATH}`,
        anthropic: `${origin}${ANTHROPIC_CLIENT_PATH}`,
      },
      ...(options.hasDocumentation && { documentation: `${origin}/docs` }),
      ...(options.hasDashboard && { dashboard: `${origin}/dashboard` }),
    });
  };
  for (const url of ROOT_URLS) {
    rejectOtherMethods(app, url, ["GET", "HEAD"]);
    app.route({ method: ["GET", "HEAD"], url, handler });
  }
}
