import type { IncomingHttpHeaders } from "node:http";
import type { Dispatcher } from "undici";
import type { GatewayError } from "../errors.ts";
import { isRetryable, toUpstreamError } from "./failure.ts";
import { readResponseHead, type UpstreamHead } from "./response-head.ts";

/**
 * Maximum number of retries. The gateway retries a request only if no byte of it was sent: OpenRouter may have billed any
 * other request.
 */
const MAX_RETRIES = 2;
const RETRY_DELAY_MIN_MS = 50;
const RETRY_DELAY_SPREAD_MS = 150;

/** Receives a response as it arrives: `onHead`, `onData` any number of times, then either `onEnd` or `onFailure`. */
export interface UpstreamSink {
  onHead(head: UpstreamHead): void;
  /** @param chunk may be retained: its memory is not reused. */
  onData(chunk: Buffer): void;
  onEnd(): void;
  /** Called when the response fails, with or without a previous `onHead`. Not called after `abort()`. */
  onFailure(failure: GatewayError): void;
  /** Called when a connection is ready and the request is about to be written. At most once, possibly during `send`. */
  onSent(): void;
  /** Called before a retry. No byte of the request was sent. */
  onRetry(): void;
}

/** An upstream request in flight. */
export interface UpstreamCall {
  /** Whether part of the request may have been written. */
  readonly wasSent: boolean;
  /** Aborts the request immediately, without a retry. The sink is not called any more. */
  abort(): void;
  /** Stops reading from upstream until `resume()`. */
  pause(): void;
  resume(): void;
}

/** Called with the head before the sink receives it. The sink receives the response only after `release` has been called. */
export type BeforeHead = (head: UpstreamHead, release: () => void) => void;

/** Maximum bytes of a body that are buffered until the release, so that a slow journal cannot exhaust the memory. */
const BUFFERED_MAX_BYTES = 65_536;
const ABORTED = new Error("the gateway aborted the request");

type Attempt = (handler: Dispatcher.DispatchHandler, body: Buffer | undefined) => void;

interface CallOptions {
  readonly body: Buffer | undefined;
  readonly beforeHead: BeforeHead | undefined;
  readonly retryForMs: number;
}

/**
 * Sends a request, retries it if no byte was sent, and passes the response to a sink. If there is a `beforeHead`, this class
 * buffers the response until its release. Sinks therefore need no buffer. An abort also discards the buffered response.
 */
export class Call implements UpstreamCall, Dispatcher.DispatchHandler {
  readonly #attempt: Attempt;
  /** Body of the request; undefined once the request is sent, because it is then never retried. */
  #body: Buffer | undefined;
  readonly #sink: UpstreamSink;
  readonly #beforeHead: BeforeHead | undefined;
  /** Buffered calls to the sink; undefined unless the response waits for its release. */
  #buffered: (() => void)[] | undefined = undefined;
  #bufferedBytes = 0;
  /** Whether the sink has called `pause()`. */
  #isPaused = false;
  readonly #retryUntil: number;
  #controller: Dispatcher.DispatchController | undefined = undefined;
  #retries = 0;
  #retryTimer: NodeJS.Timeout | undefined = undefined;
  /** Whether upstream's response has ended or failed, or the request was aborted. */
  #hasEnded = false;
  /** Whether the sink has aborted the request and must not be called any more. */
  #isAborted = false;

  /** @param attempt sends the request; called again for each retry. */
  constructor(attempt: Attempt, sink: UpstreamSink, { body, beforeHead, retryForMs }: CallOptions) {
    this.#attempt = attempt;
    this.#body = body;
    this.#sink = sink;
    this.#beforeHead = beforeHead;
    this.#retryUntil = performance.now() + retryForMs;
    attempt(this, body);
  }

  get wasSent(): boolean {
    return this.#controller !== undefined;
  }

  abort(): void {
    this.#isAborted = true;
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearTimeout(this.#retryTimer);
    this.#controller?.abort(ABORTED);
  }

  pause(): void {
    this.#isPaused = true;
    this.#controller?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#bufferedBytes <= BUFFERED_MAX_BYTES) this.#controller?.resume();
  }

  /** Called by undici just before it writes the first byte. A request counts as sent only after this call. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    this.#body = undefined;
    if (this.#hasEnded) controller.abort(ABORTED);
    else this.#sink.onSent();
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (this.#hasEnded || status < 200) return;
    const head = readResponseHead(status, headers);
    if (!this.#beforeHead) {
      this.#sink.onHead(head);
      return;
    }
    this.#buffered = [() => this.#sink.onHead(head)];
    this.#beforeHead(head, () => this.#release());
  }

  #release(): void {
    const buffered = this.#buffered ?? [];
    this.#buffered = undefined;
    for (const deliver of buffered) if (!this.#isAborted) deliver();
    // Resume only after the delivery: undici may read during a resume, and the new chunk would overtake the buffered chunks.
    const wasFull = this.#bufferedBytes > BUFFERED_MAX_BYTES;
    this.#bufferedBytes = 0;
    if (wasFull && !this.#isPaused && !this.#hasEnded) this.#controller?.resume();
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#hasEnded) return;
    if (this.#buffered) this.#buffer(chunk);
    else this.#sink.onData(chunk);
  }

  #buffer(chunk: Buffer): void {
    this.#buffered?.push(() => this.#sink.onData(chunk));
    this.#bufferedBytes += chunk.length;
    if (this.#bufferedBytes > BUFFERED_MAX_BYTES) this.#controller?.pause();
  }

  onResponseEnd(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (this.#buffered) this.#buffered.push(() => this.#sink.onEnd());
    else this.#sink.onEnd();
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    if (this.#hasEnded) return;
    const { wasSent } = this;
    if (
      !wasSent &&
      this.#retries < MAX_RETRIES &&
      performance.now() < this.#retryUntil &&
      isRetryable(error)
    ) {
      this.#retries++;
      this.#sink.onRetry();
      const delayMs = RETRY_DELAY_MIN_MS + Math.random() * RETRY_DELAY_SPREAD_MS;
      this.#retryTimer = setTimeout(() => this.#attempt(this, this.#body), delayMs);
      return;
    }
    this.#hasEnded = true;
    const failure = toUpstreamError(error, wasSent);
    if (this.#buffered) this.#buffered.push(() => this.#sink.onFailure(failure));
    else this.#sink.onFailure(failure);
  }
}
