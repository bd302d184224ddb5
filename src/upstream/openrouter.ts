import { Pool, type Dispatcher } from "undici";
import type { UpstreamConfig } from "../config.ts";
import { Call, type HeadGate, type UpstreamCall, type UpstreamSink } from "./call.ts";
import { framed } from "./request-body.ts";

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
  /** Undefined: the sink hears of the answer at once. */
  readonly gate?: HeadGate | undefined;
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
  const pool = new Pool(base.origin, {
    // HTTP/1.1: over HTTP/2 one dead connection takes all its streams with it.
    allowH2: false,
    pipelining: 1,
    connections: null,
    connect: { timeout: config.connectTimeoutMs },
    headersTimeout: config.headersTimeoutMs,
    bodyTimeout: config.idleTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // An upstream may ask for less, not for more.
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    clientTtl: CONNECTION_LIFE_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
  });
  const basePath = base.pathname.replace(/\/$/, "");
  return {
    send: (request, sink) => {
      const { method, headers, path, body: whole, gate } = request;
      const attempt = (handler: Dispatcher.DispatchHandler, body: Buffer | undefined): void => {
        pool.dispatch({ method, path: basePath + path, ...framed(headers, body) }, handler);
      };
      return new Call(attempt, sink, { body: whole, gate, retryForMs: config.connectTimeoutMs });
    },
    close: () => pool.destroy(),
  };
}
