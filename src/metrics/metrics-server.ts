import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";
import { resolveListenAddress } from "../http/listen-address.ts";
import { formatMetrics } from "./exposition.ts";

/** A scrape takes much less. A connection that delivers no request, or reads no response, for this time is closed. */
const TIMEOUT_MS = 10_000;
/** Longer than Prometheus waits by default. A client that reads steadily but slowly would otherwise hold the text for hours. */
const SCRAPE_MAX_MS = 30_000;
const CHECK_EVERY_MS = 2_000;
/** Prometheus scrapes every 15 to 60 s over one connection. */
const KEEP_ALIVE_MS = 70_000;
/** More scrapers than any deployment has. Further connections are closed. */
const CONNECTIONS_MAX = 32;
const HEADERS_MAX_BYTES = 8_192;
/** Time that a scrape has to end when the listener stops. */
const STOP_MS = 1_000;

/** The listener for Prometheus. */
export interface MetricsServer {
  /** For example `http://127.0.0.1:9464/metrics`. */
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Serves `GET /metrics` on a listener of its own, without authentication. Everything else is 404, with a text that repeats
 * nothing of the request. The format is always version 0.0.4 of the text format, which every Prometheus accepts.
 * @throws Error with the names of the settings, if the port is unavailable.
 */
export async function startMetricsServer(
  registry: Registry,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<MetricsServer> {
  let scrape: Promise<Buffer> | undefined;
  // Scrapes that overlap share one collection, so that many scrapers multiply neither its queries nor its memory.
  const collect = (): Promise<Buffer> =>
    (scrape ??= formatMetrics(registry).finally(() => (scrape = undefined)));
  const server = createServer(
    {
      maxHeaderSize: HEADERS_MAX_BYTES,
      headersTimeout: TIMEOUT_MS,
      requestTimeout: TIMEOUT_MS,
      connectionsCheckingInterval: CHECK_EVERY_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    (request, response) => void respond(request, response, { collect, contentType: registry.contentType }),
  );
  server.setTimeout(TIMEOUT_MS);
  server.maxConnections = CONNECTIONS_MAX;
  await listen(server, { host, port });
  const { address, family, port: boundPort } = server.address() as AddressInfo;
  const urlHost = family === "IPv6" ? `[${address}]` : address;
  return { url: `http://${urlHost}:${boundPort}/metrics`, stop: () => stop(server) };
}

async function listen(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  try {
    server.listen({ host: await resolveListenAddress(host), port });
    await once(server, "listening");
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`the port of the metrics (METRICS_PORT, METRICS_HOST) cannot be used: ${reason}`, {
      cause,
    });
  }
}

interface Scrapes {
  readonly collect: () => Promise<Buffer>;
  readonly contentType: string;
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  { collect, contentType }: Scrapes,
): Promise<void> {
  const deadline = setTimeout(() => response.destroy(), SCRAPE_MAX_MS);
  response.once("close", () => clearTimeout(deadline));
  // A scrape has no body. Instead of reading one, the connection is closed.
  const { "content-length": length = "0", "transfer-encoding": encoding } = request.headers;
  if (length !== "0" || encoding !== undefined) response.setHeader("connection", "close");
  const isScrape =
    (request.method === "GET" || request.method === "HEAD") && /^\/metrics(?:\?|$)/.test(request.url ?? "");
  if (!isScrape) {
    sendText(response, 404, "Not found; the metrics are at /metrics.\n");
    return;
  }
  try {
    const body = await collect();
    response.writeHead(200, { "content-type": contentType, "content-length": body.length });
    // Node omits the body of a response to HEAD.
    response.end(body);
  } catch {
    sendText(response, 500, "The metrics could not be collected.\n");
  }
}

function sendText(response: ServerResponse, status: number, text: string): void {
  const headers = { "content-type": "text/plain; charset=utf-8", "content-length": Buffer.byteLength(text) };
  response.writeHead(status, headers).end(text);
}

async function stop(server: Server): Promise<void> {
  const timer = setTimeout(() => server.closeAllConnections(), STOP_MS);
  server.close();
  server.closeIdleConnections();
  await once(server, "close");
  clearTimeout(timer);
}
