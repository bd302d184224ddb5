import cors from "@fastify/cors";
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { createOriginMatcher } from "../config/cors-origins.ts";
import { GatewayError } from "../errors.ts";

const EXPOSED = [
  "x-request-id",
  "x-generation-id",
  "x-next-cursor",
  "server-timing",
  "retry-after",
  "retry-after-ms",
  "x-should-retry",
  "x-ratelimit-limit",
  "x-ratelimit-remaining",
  "x-ratelimit-reset",
  "x-ratelimit-limit-requests",
  "x-ratelimit-remaining-requests",
  "x-ratelimit-reset-requests",
  "x-ratelimit-limit-tokens",
  "x-ratelimit-remaining-tokens",
  "x-ratelimit-reset-tokens",
];

/**
 * Lets web pages of these origins send requests to the gateway, as the browser SDKs do. Without origins, the gateway sends no
 * CORS headers. Cookies are never allowed, because a page sends its key in a header. If the origin of a preflight is not
 * allowed, the gateway responds with 403 and logs the origin, because the browser hides the cause from the page.
 */
export async function allowOrigins(
  app: FastifyInstance,
  origins: readonly string[],
  logger: Logger,
): Promise<void> {
  const isAllowed = createOriginMatcher(origins);
  const reportRefused = createRefusalLog(logger);
  app.addHook("onRequest", (request, _reply, done) => {
    if (request.method !== "OPTIONS") {
      done();
      return;
    }
    const { origin, "access-control-request-method": requestedMethod } = request.headers;
    if (origin === undefined || requestedMethod === undefined || isAllowed(origin)) {
      done();
      return;
    }
    reportRefused(origin);
    done(origins.length === 0 ? undefined : new GatewayError("origin_not_allowed"));
  });
  if (origins.length === 0) return;
  await app.register(cors, {
    origin: origins.includes("*")
      ? "*"
      : (origin, done) => done(null, origin !== undefined && isAllowed(origin)),
    methods: ["GET", "POST"],
    exposedHeaders: EXPOSED,
    maxAge: 600,
    strictPreflight: false,
  });
}

const REPORT_EVERY_MS = 60_000;
/** Maximum number of origins that are logged in {@link REPORT_EVERY_MS}, so that made-up origins cannot fill the log. */
const REPORTED_MAX = 20;
/** Values of `Origin` that are logged; all others are logged as malformed. */
const LOGGED = /^[a-z][\da-z+.-]{0,31}:\/\/[\w.:[\]-]{0,253}$|^null$/i;

/** Creates a function that logs refused origins, each at most once a minute. */
function createRefusalLog(logger: Logger): (origin: string) => void {
  const reported = new Set<string>();
  let since = -REPORT_EVERY_MS;
  return (origin) => {
    const now = performance.now();
    if (now - since >= REPORT_EVERY_MS) {
      reported.clear();
      since = now;
    }
    const logged = LOGGED.test(origin) ? origin : "(malformed)";
    if (reported.has(logged) || reported.size >= REPORTED_MAX) return;
    reported.add(logged);
    logger.warn({ origin: logged }, "cors: origin not in CORS_ORIGINS, preflight refused");
  };
}
