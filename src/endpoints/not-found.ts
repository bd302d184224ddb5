import type { FastifyInstance, FastifyRequest } from "fastify";
import { GatewayError } from "../errors.ts";
import { getBaseUrl } from "../http/base-url.ts";
import { toMessageText } from "../bounded-text.ts";
import { getLimitAddress } from "../limits/caller-id.ts";
import type { Limit } from "../limits/rate-limit.ts";

/** Endpoints of OpenAI's, Anthropic's and OpenRouter's APIs that clients request and the gateway does not have. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  responses: "Responses API",
  messages: "Messages API",
  completions: "legacy Completions API",
  embeddings: "Embeddings API",
};
/** Endpoints that the gateway has, and that clients may request below a wrong base URL. */
const MISPLACED = ["chat/completions", "models", "key"];
const SHOWN_MAX_CHARS = 200;
const SEGMENTS_MAX = 32;

/**
 * Rejects a request to an unknown URL before its body is read, and limits how many such requests an address may send. A
 * request to an endpoint that other gateways have gets 400, because Claude Code and Codex show the message of a 400 at once.
 * After a 404 they report a wrong model, or retry.
 */
export function handleNotFound(app: FastifyInstance, unknownUrls: Limit): void {
  app.addHook("onRequest", async (request) => {
    if (!request.is404) return;
    const path = request.url.split(/[?#]/, 1)[0] ?? "";
    const endpoint = findEndpoint(path);
    // Logs only the fixed names of known endpoints, because a URL can contain secrets.
    if (endpoint !== undefined) request.context.route = `*/${endpoint}`;
    await unknownUrls.consume(getLimitAddress(request));
    throw endpoint !== undefined && Object.hasOwn(UNSUPPORTED, endpoint)
      ? createUnsupportedError(request, path, endpoint)
      : createUnknownUrlError(request, path);
  });
}

/** Finds a known endpoint in a path. Any base may precede it, and any path may follow an unsupported endpoint. */
function findEndpoint(path: string): string | undefined {
  const segments = path.toLowerCase().split("/", SEGMENTS_MAX).filter(Boolean);
  const at = segments.findIndex((segment) => Object.hasOwn(UNSUPPORTED, segment));
  const endpoint = segments[at];
  if (endpoint !== undefined && segments[at - 1] !== "chat") return endpoint;
  const joined = segments.join("/");
  return MISPLACED.find((own) => joined === own || joined.endsWith(`/${own}`));
}

function createUnsupportedError(request: FastifyRequest, path: string, endpoint: string): GatewayError {
  return new GatewayError(
    "unsupported_endpoint",
    `This gateway has no ${UNSUPPORTED[endpoint] ?? endpoint} (${describeTarget(request, path)}). ` +
      `Set the client to OpenAI's Chat Completions API, with the base URL ${getBaseUrl(request)}.`,
  );
}

function createUnknownUrlError(request: FastifyRequest, path: string): GatewayError {
  const baseUrl = getBaseUrl(request);
  return new GatewayError(
    "unknown_url",
    `The gateway has no endpoint ${describeTarget(request, path)}. Set the base URL to ${baseUrl}: chat completions are at ${baseUrl}/chat/completions.`,
  );
}

/** Formats the method and the path of a request for an error message. */
function describeTarget({ method }: FastifyRequest, path: string): string {
  return `${method} ${toMessageText(path, SHOWN_MAX_CHARS)}`;
}
