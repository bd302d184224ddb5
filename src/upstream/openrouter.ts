import { Pool, ProxyAgent, type Dispatcher } from "undici";
import type { UpstreamConfig } from "../config/config.ts";
import { Call, type BeforeHead, type UpstreamCall, type UpstreamSink } from "./call.ts";
import { toDispatchBody } from "./dispatch-body.ts";

/**
 * Idle time after which the pool closes a connection. OpenRouter's edge closes idle connections after 400 s, so a connection
 * that the pool reuses is still open.
 */
const KEEP_ALIVE_MS = 30_000;
/** Maximum age of a connection, so that a long-lived process follows DNS changes. */
const CONNECTION_LIFE_MS = 300_000;
const MAX_HEADER_BYTES = 32_768;

export interface UpstreamRequest {
  readonly method: "GET" | "POST";
  /** Path below the base URL. */
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body?: Buffer;
  /** Called when a large body has been written and its memory is released. Small bodies are retained until the end. */
  readonly onBodyReleased?: () => void;
  /** Called with the head; can delay the response. If undefined, the sink receives the response immediately. */
  readonly beforeHead?: BeforeHead | undefined;
}

/** Connection pool to OpenRouter, which all upstream requests use. */
export interface Upstream {
  send(request: UpstreamRequest, sink: UpstreamSink): UpstreamCall;
  /** Closes all connections, including those with requests in flight. */
  close(): Promise<void>;
}

/**
 * Opens a pool of connections to the configured base URL. The pool does not limit the number of connections, because undici
 * would queue requests without a timeout. `InFlight` limits the number of requests instead. The pool follows no redirects.
 */
export function connectUpstream(config: UpstreamConfig): Upstream {
  const base = new URL(config.baseUrl);
  const { origin } = base;
  const pool =
    config.proxyUrl === undefined ? directPool(origin, config) : proxyPool(config.proxyUrl, config);
  const basePath = base.pathname.replace(/\/$/, "");
  return {
    send: (request, sink) => {
      const { method, headers, path, body: whole, beforeHead, onBodyReleased } = request;
      const attempt = (handler: Dispatcher.DispatchHandler, body: Buffer | undefined): void => {
        const sent = toDispatchBody(headers, body, onBodyReleased);
        pool.dispatch({ origin, method, path: basePath + path, ...sent }, handler);
      };
      return new Call(attempt, sink, { body: whole, beforeHead, retryForMs: config.connectTimeoutMs });
    },
    close: () => pool.destroy(),
  };
}

function poolOptions(config: UpstreamConfig): Pool.Options {
  return {
    // HTTP/1.1 only: with HTTP/2, the failure of one connection would end many responses.
    allowH2: false,
    pipelining: 1,
    connections: null,
    headersTimeout: config.headersTimeoutMs,
    bodyTimeout: config.idleTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // Upstream's `Keep-Alive` header may shorten the timeout, but not extend it.
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    clientTtl: CONNECTION_LIFE_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
  };
}

function directPool(origin: string, config: UpstreamConfig): Dispatcher {
  return new Pool(origin, { ...poolOptions(config), connect: { timeout: config.connectTimeoutMs } });
}

/**
 * Creates a pool whose connections are tunnels through a proxy. A proxy can forward requests for `http:` URLs without a tunnel,
 * but the pool uses a tunnel for them too. Otherwise, a response of the proxy itself would look like a response of
 * OpenRouter, and the gateway would not know whether the request was sent to OpenRouter.
 */
function proxyPool(uri: string, config: UpstreamConfig): Dispatcher {
  const timeout = config.connectTimeoutMs;
  return new ProxyAgent({
    ...poolOptions(config),
    uri,
    proxyTunnel: true,
    proxyTls: { timeout },
    requestTls: { timeout },
    // The pool of connections to the proxy, which requests the tunnels. If the proxy does not respond in time, undici reports
    // that the connection could not be opened.
    clientFactory: (url, options) =>
      new Pool(url, { ...options, allowH2: false, connections: null, headersTimeout: timeout }),
  });
}
