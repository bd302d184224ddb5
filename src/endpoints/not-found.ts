import type { FastifyInstance, FastifyRequest } from "fastify";
import { GatewayError } from "../errors.ts";
import { getOrigin } from "../http/base-url.ts";
import { ANTHROPIC_ERRORS, type ErrorFormat, OPENAI_ERRORS } from "../http/error-format.ts";
import { toMessageText } from "../bounded-text.ts";
import { getLimitAddress } from "../limits/caller-id.ts";
import type { Limit } from "../limits/rate-limit.ts";
import {
  ANTHROPIC_BASE_PATH,
  ANTHROPIC_CLIENT_PATH,
  BASE_PATHS,
  DOCUMENTED_BASE_PATH,
} from "./base-paths.ts";
import { ENDPOINT_SUMMARY, KNOWN_ENDPOINTS, type KnownEndpoint } from "./known-endpoints.ts";
import { UNSUPPORTED_ENDPOINTS, type UnsupportedEndpoint } from "./unsupported-endpoints.ts";

const SHOWN_MAX_CHARS = 200;
const SEGMENTS_MAX = 32;
const ANY_SEGMENT = ":id";

/** Segments of which base paths consist. Clients append a base path to another, or omit it. */
const BASE_SEGMENTS: ReadonlySet<string> = new Set(
  [...BASE_PATHS, ANTHROPIC_BASE_PATH].flatMap((basePath) => basePath.split("/")),
);
/** Endpoints that a path can end with, the longest first. */
const MISPLACED = KNOWN_ENDPOINTS.filter(({ path }) => !/[:*]/.test(path)).toSorted(
  (a, b) => b.path.length - a.path.length,
);

/** An endpoint that an unknown URL seems to ask for. */
interface Guess {
  /** Fixed name of the endpoint, for the log. */
  readonly name: string;
  readonly errors: ErrorFormat;
  readonly unsupported?: UnsupportedEndpoint;
  readonly misplaced?: KnownEndpoint;
}

/**
 * Rejects a request to an unknown URL before its body is read, and limits how many such requests an address may send. A
 * request to a known endpoint that the gateway does not have gets 400, because Claude Code and Codex show the message of a
 * 400 at once. After a 404 they report a wrong model, or retry.
 */
export function handleNotFound(app: FastifyInstance, unknownUrls: Limit): void {
  app.addHook("onRequest", async (request) => {
    if (!request.is404) return;
    const path = request.url.split(/[?#]/, 1)[0] ?? "";
    const segments = path.toLowerCase().split("/", SEGMENTS_MAX).filter(Boolean);
    const guess = guessEndpoint(segments);
    // Logs only the fixed names of known endpoints, because a URL can contain secrets.
    if (guess) request.context.route = `*/${guess.name}`;
    request.context.errorFormat = chooseErrorFormat(segments, guess);
    await unknownUrls.consume(getLimitAddress(request));
    throw createError(request, path, guess);
  });
}

function guessEndpoint(segments: readonly string[]): Guess | undefined {
  const unsupported = findUnsupported(segments.slice(countBaseSegments(segments)));
  if (unsupported) {
    const { path } = unsupported;
    const parent = KNOWN_ENDPOINTS.find((endpoint) => path.startsWith(`${endpoint.path}/`));
    return { name: path, errors: parent?.errors ?? OPENAI_ERRORS, unsupported };
  }
  const joined = `/${segments.join("/")}`;
  const misplaced = MISPLACED.find(({ path }) => joined.endsWith(`/${path}`));
  return misplaced && { name: misplaced.path, errors: misplaced.errors, misplaced };
}

function countBaseSegments(segments: readonly string[]): number {
  const first = segments.findIndex((segment) => !BASE_SEGMENTS.has(segment));
  return first === -1 ? segments.length : first;
}

/** Finds an unsupported endpoint. @param segments segments of the path below the base path. */
function findUnsupported(segments: readonly string[]): UnsupportedEndpoint | undefined {
  return UNSUPPORTED_ENDPOINTS.find(({ path }) =>
    path.split("/").every((name, index) => {
      const segment = segments[index];
      // A client whose base URL is the URL of an endpoint sends its requests to `responses/responses`.
      return name === ANY_SEGMENT ? segment !== undefined && segment !== segments[0] : segment === name;
    }),
  );
}

function chooseErrorFormat(segments: readonly string[], guess: Guess | undefined): ErrorFormat {
  if (`/${segments[0] ?? ""}` === ANTHROPIC_CLIENT_PATH) return ANTHROPIC_ERRORS;
  return guess?.errors ?? OPENAI_ERRORS;
}

function createError(request: FastifyRequest, path: string, guess: Guess | undefined): GatewayError {
  const origin = getOrigin(request);
  const target = `${request.method} ${toMessageText(path, SHOWN_MAX_CHARS)}`;
  const baseUrl = `${origin}${DOCUMENTED_BASE_PATH}`;
  if (guess?.unsupported) {
    const { name, status } = guess.unsupported;
    return new GatewayError(
      "unsupported_endpoint",
      `This gateway has no ${name} (${target}). Below ${baseUrl} it has ${ENDPOINT_SUMMARY}.`,
      status === undefined ? {} : { status },
    );
  }
  if (guess?.misplaced) return createMisplacedError(request, target, guess.misplaced);
  return new GatewayError(
    "unknown_url",
    `The gateway has no endpoint ${target}. Set the base URL to ${baseUrl}, below which it has ${ENDPOINT_SUMMARY}.`,
  );
}

/** Returns the error for an endpoint below a wrong base path. */
function createMisplacedError(
  request: FastifyRequest,
  target: string,
  { path, basePath, errors }: KnownEndpoint,
): GatewayError {
  const origin = getOrigin(request);
  const isAnthropic = errors === ANTHROPIC_ERRORS;
  const baseUrl = `${origin}${isAnthropic ? ANTHROPIC_CLIENT_PATH : basePath}`;
  return new GatewayError(
    "unknown_url",
    `The gateway has no endpoint ${target}. Set the base URL to ${baseUrl}: this endpoint is at ${origin}${basePath}/${path}.`,
    // After a 404, Claude Code sends the request again and then reports a wrong model.
    isAnthropic ? { status: 400 } : {},
  );
}
