import type { IncomingHttpHeaders } from "node:http";
import type { Dispatcher } from "undici";
import type { GatewayError } from "../errors.ts";
import { isRetryable, toUpstreamError } from "./failure.ts";
import { readResponseHead, type UpstreamHead } from "./response-head.ts";

/** A request that was sent may have been billed, so only one of which nothing was sent is tried again. */
const MAX_RETRIES = 2;
const RETRY_DELAY_MIN_MS = 50;
const RETRY_DELAY_SPREAD_MS = 150;

/** Receives a response as it arrives: `onHead`, `onData` any number of times, then one of `onEnd` and `onFailure`. */
export interface UpstreamSink {
  onHead(head: UpstreamHead): void;
  /** @param chunk may be kept: its memory is not used again. */
  onData(chunk: Buffer): void;
  onEnd(): void;
  /** Also instead of `onHead`. Not called after `abort()`. */
  onFailure(failure: GatewayError): void;
  /** There is a connection, over which the request is about to be written. Called at most once, possibly within `send`. */
  onSent(): void;
  /** The request is about to be tried again; nothing of it was sent. */
  onRetry(): void;
}

/** A request in flight. */
export interface UpstreamCall {
  /** Some of the request may have been written. */
  readonly wasSent: boolean;
  /** Ends the request at once and for good; the sink receives nothing more. */
  abort(): void;
  /** Stops reading from upstream, until `resume()`. */
  pause(): void;
  resume(): void;
}

/** Called with the head before the sink is, which receives the whole response when `release` is called, at once or later. */
export type BeforeHead = (head: UpstreamHead, release: () => void) => void;

/** How much of a body is buffered before the release: a journal on a slow disk must not let a response fill the memory. */
const BUFFERED_MAX_BYTES = 65_536;
const ABORTED = new Error("the gateway aborted the request");

type Attempt = (handler: Dispatcher.DispatchHandler, body: Buffer | undefined) => void;

interface CallOptions {
  readonly body: Buffer | undefined;
  readonly beforeHead: BeforeHead | undefined;
  readonly retryForMs: number;
}

/**
 * Makes a request, again if nothing of it was sent, and gives its response to a sink. The response is buffered here until
 * `beforeHead` releases it, so that the sink is the same from first to last and receives nothing more once it has aborted.
 */
export class Call implements UpstreamCall, Dispatcher.DispatchHandler {
  readonly #attempt: Attempt;
  /** Released as soon as it cannot be needed for another attempt. */
  #body: Buffer | undefined;
  readonly #sink: UpstreamSink;
  readonly #beforeHead: BeforeHead | undefined;
  /** The calls that the sink has not received yet, from the head until it is released. */
  #buffered: (() => void)[] | undefined = undefined;
  #bufferedBytes = 0;
  /** The sink has asked for a pause. */
  #isPaused = false;
  readonly #retryUntil: number;
  #controller: Dispatcher.DispatchController | undefined = undefined;
  #retries = 0;
  #retryTimer: NodeJS.Timeout | undefined = undefined;
  /** Nothing more comes from upstream. */
  #hasEnded = false;
  /** The sink receives nothing more. */
  #isAborted = false;

  /** @param attempt makes the request, each time it is called. */
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

  /** undici calls this when it has a connection, just before the first byte is written: the one sign of "sent". */
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
    // Not before: undici reads on within a resume, and its next chunk would overtake the buffered ones.
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
