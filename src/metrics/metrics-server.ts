import { fastify } from "fastify";
import type { Registry } from "prom-client";

/** A scrape takes much less. A connection that delivers no request for this time is closed. */
const TIMEOUT_MS = 10_000;
/** More scrapers than any deployment has. Further connections are closed. */
const CONNECTIONS_MAX = 64;

/** The listener for Prometheus. */
export interface MetricsServer {
  /** For example `http://127.0.0.1:9464/metrics`. */
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Serves `GET /metrics` on a listener of its own, without authentication.
 * @throws if the port is unavailable.
 */
export async function startMetricsServer(
  registry: Registry,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<MetricsServer> {
  const app = fastify({
    logger: false,
    requestTimeout: TIMEOUT_MS,
    forceCloseConnections: true,
    bodyLimit: 1_024,
    exposeHeadRoutes: false,
  });
  app.server.maxConnections = CONNECTIONS_MAX;
  let scrape: Promise<string> | undefined;
  app.get("/metrics", async (_request, reply) => {
    // Scrapes that overlap share one collection, so that repeated scrapes do not multiply its queries.
    scrape ??= registry.metrics().finally(() => (scrape = undefined));
    return reply.type(registry.contentType).send(await scrape);
  });
  app.setNotFoundHandler((_request, reply) =>
    reply.code(404).type("text/plain").send("Not found; the metrics are at /metrics.\n"),
  );
  const url = await app.listen({ host, port });
  return { url: `${url}/metrics`, stop: () => app.close() };
}
