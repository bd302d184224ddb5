import { Pool, ProxyAgent, type Dispatcher } from "undici";
import type { UpstreamConfig } from "../config/config.ts";
import { Call, type BeforeHead, type UpstreamCall, type UpstreamSink } from "./call.ts";
import { toDispatchBody } from "./dispatch-body.ts";

/** Below the time after which OpenRouter's edge closes an idle connection (400 s), so that a reused one is alive. */
const KEEP_ALIVE_MS = 30_000;
/** Connections are renewed so that a change of DNS reaches a process that lives long. */
const CONNECTION_LIFE_MS = 300_000;
const MAX_HEADER_BYTES = 32_768;

export interface UpstreamRequest {
  readonly method: "GET" | "POST";
  /** Path below the base URL. */
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body?: Buffer;
  /** Called once a large body has been written, so that nothing holds it any more; a small one is held to the end. */
  readonly onBodyReleased?: () => void;
  /** Undefined: the sink hears of the answer at once. */
  readonly beforeHead?: BeforeHead | undefined;
}

/** The only way to OpenRouter. */
export interface Upstream {
  send(request: UpstreamRequest, sink: UpstreamSink): UpstreamCall;
  /** Closes every connection, also those with requests under way. */
  close(): Promise<void>;
}

/**
 * Opens a pool of connections to the configured base URL. There is no limit on their number here: undici would queue
 * without a timeout, so what is in flight is bounded before it gets here. Redirects are not followed.
 */
export function connectUpstream(config: UpstreamConfig): Upstream {
  const base = new URL(config.baseUrl);
  const { origin } = base;
  const pool =
    config.proxyUrl === undefined ? directPool(origin, config) : poolBehind(config.proxyUrl, config);
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
    // HTTP/1.1: over HTTP/2 one dead connection takes all its streams with it.
    allowH2: false,
    pipelining: 1,
    connections: null,
    headersTimeout: config.headersTimeoutMs,
    bodyTimeout: config.idleTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // An upstream may ask for less, not for more.
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    clientTtl: CONNECTION_LIFE_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
  };
}

function directPool(origin: string, config: UpstreamConfig): Dispatcher {
  return new Pool(origin, { ...poolOptions(config), connect: { timeout: config.connectTimeoutMs } });
}

/**
 * A pool whose connections are tunnels through a proxy. Also for http, which could be forwarded without one: then an answer
 * of the proxy's would pass for OpenRouter's, and nobody could say whether a request was sent.
 */
function poolBehind(uri: string, config: UpstreamConfig): Dispatcher {
  const timeout = config.connectTimeoutMs;
  return new ProxyAgent({
    ...poolOptions(config),
    uri,
    proxyTunnel: true,
    proxyTls: { timeout },
    requestTls: { timeout },
    // What asks the proxy for tunnels: a proxy that does not answer is a connection that does not open.
    clientFactory: (url, options) =>
      new Pool(url, { ...options, allowH2: false, connections: null, headersTimeout: timeout }),
  });
}
