import cors from "@fastify/cors";
import type { FastifyInstance } from "fastify";

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
 * Lets pages of these origins call the gateway, as the browser SDKs do. Without origins nothing is registered. Cookies
 * are never allowed: a page brings its key itself.
 */
export async function allowOrigins(app: FastifyInstance, origins: readonly string[]): Promise<void> {
  if (origins.length === 0) return;
  await app.register(cors, {
    origin: origins.includes("*") ? "*" : [...origins],
    methods: ["GET", "POST"],
    exposedHeaders: EXPOSED,
    maxAge: 600,
    strictPreflight: false,
  });
}
