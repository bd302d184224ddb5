import type { IncomingHttpHeaders } from "node:http";
import { Pool, type Dispatcher } from "undici";
import type { UpstreamConfig } from "../config.ts";
import type { GatewayError } from "../errors.ts";
import { isWorthRetrying, toGatewayError } from "./failure.ts";
import { framed } from "./request-body.ts";

/** A request that was sent may have been billed, so only one of which nothing was sent is tried again. */
const MAX_RETRIES = 2;
const RETRY_DELAY_MIN_MS = 50;
const RETRY_DELAY_SPREAD_MS = 150;

/** Below the time after which OpenRouter's edge closes an idle connection (400 s), so that a reused one is alive. */
const KEEP_ALIVE_MS = 30_000;
/** Connections are renewed so that a change of DNS reaches a process that lives long. */
const CONNECTION_LIFE_MS = 300_000;
const MAX_HEADER_BYTES = 32_768;

/** The beginning of upstream's final answer; 1xx never get here. */
export interface UpstreamHead {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: IncomingHttpHeaders;
}

/** Receives an answer as it arrives: `onHead`, `onData` any number of times, then one of `onEnd` and `onFailure`. */
export interface UpstreamSink {
  /** @param call the request that is answered. */
  onHead(head: UpstreamHead, call: UpstreamCall): void;
  /** @param chunk may be kept: its memory is not used again. */
  onData(chunk: Buffer): void;
  onEnd(): void;
  /** Also instead of `onHead`. Not called after `abort()`. */
  onFailure(failure: GatewayError): void;
  /** The request is about to be tried again; nothing of it was sent. */
  onRetry(): void;
}

/** A request under way. */
export interface UpstreamCall {
  /** Some of the request may have been written. */
  readonly sent: boolean;
  /** Ends the request at once and for good; the sink hears no more. */
  abort(): void;
  /** Stops reading from upstream, until `resume()`. */
  pause(): void;
  resume(): void;
  /** From now on another sink hears of it. */
  deliverTo(sink: UpstreamSink): void;
}

export interface UpstreamRequest {
  readonly method: "GET" | "POST";
  /** Path below the base URL. */
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body?: Buffer;
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
      const { method, headers, path } = request;
      const attempt = (handler: Dispatcher.DispatchHandler, body: Buffer | undefined): void => {
        pool.dispatch({ method, path: basePath + path, ...framed(headers, body) }, handler);
      };
      return new Call(attempt, request.body, sink, config.connectTimeoutMs);
    },
    close: () => pool.destroy(),
  };
}

const GONE = new Error("the caller does not want the answer any more");

type Attempt = (handler: Dispatcher.DispatchHandler, body: Buffer | undefined) => void;

class Call implements UpstreamCall, Dispatcher.DispatchHandler {
  readonly #attempt: Attempt;
  /** Let go of as soon as it cannot be needed for another attempt. */
  #body: Buffer | undefined;
  #sink: UpstreamSink;
  readonly #retryUntil: number;
  #controller: Dispatcher.DispatchController | undefined = undefined;
  #retries = 0;
  #retryTimer: NodeJS.Timeout | undefined = undefined;
  #over = false;

  constructor(attempt: Attempt, body: Buffer | undefined, sink: UpstreamSink, retryForMs: number) {
    this.#attempt = attempt;
    this.#body = body;
    this.#sink = sink;
    this.#retryUntil = performance.now() + retryForMs;
    attempt(this, body);
  }

  get sent(): boolean {
    return this.#controller !== undefined;
  }

  abort(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#retryTimer);
    this.#controller?.abort(GONE);
  }

  pause(): void {
    this.#controller?.pause();
  }

  resume(): void {
    this.#controller?.resume();
  }

  deliverTo(sink: UpstreamSink): void {
    this.#sink = sink;
  }

  /** undici calls this when it has a connection, just before the first byte is written: the one sign of "sent". */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    this.#body = undefined;
    if (this.#over) controller.abort(GONE);
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (this.#over || status < 200) return;
    this.#sink.onHead({ status, headers }, this);
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#over) this.#sink.onData(chunk);
  }

  onResponseEnd(): void {
    if (this.#over) return;
    this.#over = true;
    this.#sink.onEnd();
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    if (this.#over) return;
    const { sent } = this;
    if (
      !sent &&
      this.#retries < MAX_RETRIES &&
      performance.now() < this.#retryUntil &&
      isWorthRetrying(error)
    ) {
      this.#retries++;
      this.#sink.onRetry();
      const delayMs = RETRY_DELAY_MIN_MS + Math.random() * RETRY_DELAY_SPREAD_MS;
      this.#retryTimer = setTimeout(() => this.#attempt(this, this.#body), delayMs);
      return;
    }
    this.#over = true;
    this.#sink.onFailure(toGatewayError(error, { sent }));
  }
}
