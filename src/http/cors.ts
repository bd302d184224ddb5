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
];

/**
 * Lets pages of these origins call the gateway, as the browser SDKs do. Without origins no header is ever sent. Cookies
 * are never allowed: a page brings its key itself. The preflight of a page that may not call gets a 403 and is
 * logged. Without CORS headers its browser hides every answer from it.
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
    const { origin, "access-control-request-method": asked } = request.headers;
    if (origin === undefined || asked === undefined || isAllowed(origin)) {
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
/** How many different origins are logged in that time: invented origins must not fill the log. */
const REPORTED_MAX = 20;
/** What is logged of an `Origin` header; whatever else was sent in its place is not. */
const LOGGED = /^[a-z][\da-z+.-]{0,31}:\/\/[\w.:[\]-]{0,253}$|^null$/i;

/** Makes the logging of refused origins: each at most once a minute. */
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
