import type { FastifyInstance, FastifyRequest } from "fastify";
import { GatewayError } from "../errors.ts";
import { getBaseUrl } from "../http/base-url.ts";
import { toMessageText } from "../bounded-text.ts";
import { getLimitAddress } from "../limits/caller-id.ts";
import type { Limit } from "../limits/rate-limit.ts";

/** Endpoints of OpenAI's, Anthropic's and OpenRouter's APIs that clients ask for and the gateway does not have. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  responses: "Responses API",
  messages: "Messages API",
  completions: "legacy Completions API",
  embeddings: "Embeddings API",
};
/** The gateway's own endpoints, asked for below another base URL. */
const MISPLACED = ["chat/completions", "models", "key"];
const SHOWN_MAX_CHARS = 200;
const SEGMENTS_MAX = 32;

/**
 * Answers a URL that no route has, before its body is read; addresses that keep asking are held off. An endpoint that other
 * gateways have is a 400, because Claude Code and Codex show the text of a 400 at once: on a 404 they blame the model, or
 * ask again.
 */
export function handleNotFound(app: FastifyInstance, unknownUrls: Limit): void {
  app.addHook("onRequest", async (request) => {
    if (!request.is404) return;
    const path = request.url.split(/[?#]/, 1)[0] ?? "";
    const endpoint = findEndpoint(path);
    // The log names endpoints by these fixed words alone: a URL can carry what should not be there.
    if (endpoint !== undefined) request.context.route = `*/${endpoint}`;
    await unknownUrls.consume(getLimitAddress(request));
    throw endpoint !== undefined && Object.hasOwn(UNSUPPORTED, endpoint)
      ? createUnsupportedError(request, path, endpoint)
      : createUnknownUrlError(request, path);
  });
}

/** Which known endpoint a path asks for, whatever its base, and whatever is below the endpoint. */
function findEndpoint(path: string): string | undefined {
  const segments = path.toLowerCase().split("/", SEGMENTS_MAX).filter(Boolean);
  const at = segments.findIndex((segment) => Object.hasOwn(UNSUPPORTED, segment));
  const endpoint = segments[at];
  if (endpoint !== undefined && segments[at - 1] !== "chat") return endpoint;
  const asked = segments.join("/");
  return MISPLACED.find((own) => asked === own || asked.endsWith(`/${own}`));
}

function createUnsupportedError(request: FastifyRequest, path: string, endpoint: string): GatewayError {
  return new GatewayError(
    "unsupported_endpoint",
    `This gateway has no ${UNSUPPORTED[endpoint] ?? endpoint} (${describeTarget(request, path)}). ` +
      `It has OpenAI's Chat Completions API: use a client or a setting for that, with the base URL ${getBaseUrl(request)}.`,
  );
}

function createUnknownUrlError(request: FastifyRequest, path: string): GatewayError {
  const baseUrl = getBaseUrl(request);
  return new GatewayError(
    "unknown_url",
    `There is nothing at ${describeTarget(request, path)}. Set the base URL to ${baseUrl}: chat completions are at ${baseUrl}/chat/completions.`,
  );
}

/** The method and the path of a request, as an error message repeats them. */
function describeTarget({ method }: FastifyRequest, path: string): string {
  return `${method} ${toMessageText(path, SHOWN_MAX_CHARS)}`;
}
