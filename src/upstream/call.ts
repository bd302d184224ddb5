import type { IncomingHttpHeaders } from "node:http";
import type { Dispatcher } from "undici";
import type { GatewayError } from "../errors.ts";
import { isRetryable, toUpstreamError } from "./failure.ts";

/** A request that was sent may have been billed, so only one of which nothing was sent is tried again. */
const MAX_RETRIES = 2;
const RETRY_DELAY_MIN_MS = 50;
const RETRY_DELAY_SPREAD_MS = 150;

/** The beginning of upstream's final answer; 1xx never get here. */
export interface UpstreamHead {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: IncomingHttpHeaders;
}

/** Receives an answer as it arrives: `onHead`, `onData` any number of times, then one of `onEnd` and `onFailure`. */
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

/** A request under way. */
export interface UpstreamCall {
  /** Some of the request may have been written. */
  readonly wasSent: boolean;
  /** Ends the request at once and for good; the sink hears no more. */
  abort(): void;
  /** Stops reading from upstream, until `resume()`. */
  pause(): void;
  resume(): void;
}

/** Hears of the head before the sink does, which hears of the whole answer when `pass` is called, at once or later. */
export type BeforeHead = (head: UpstreamHead, pass: () => void) => void;

/** How much of a body is kept while the gate holds the head: a journal on a slow disk must not let a response fill the memory. */
const HELD_MAX_BYTES = 65_536;
const GONE = new Error("the caller does not want the answer any more");

type Attempt = (handler: Dispatcher.DispatchHandler, body: Buffer | undefined) => void;

interface CallOptions {
  readonly body: Buffer | undefined;
  readonly beforeHead: BeforeHead | undefined;
  readonly retryForMs: number;
}

/**
 * Makes a request, again if nothing of it was sent, and gives its answer to a sink. What a gate holds back is kept here, so
 * that the sink is the same from first to last and hears nothing more once it has aborted.
 */
export class Call implements UpstreamCall, Dispatcher.DispatchHandler {
  readonly #attempt: Attempt;
  /** Let go of as soon as it cannot be needed for another attempt. */
  #body: Buffer | undefined;
  readonly #sink: UpstreamSink;
  readonly #gate: BeforeHead | undefined;
  /** What the sink has not been given yet, while the gate holds the head. */
  #held: (() => void)[] | undefined = undefined;
  #heldBytes = 0;
  /** The sink has asked for a pause. */
  #isPaused = false;
  readonly #retryUntil: number;
  #controller: Dispatcher.DispatchController | undefined = undefined;
  #retries = 0;
  #retryTimer: NodeJS.Timeout | undefined = undefined;
  /** Nothing more comes from upstream. */
  #over = false;
  /** The sink hears no more. */
  #aborted = false;

  /** @param attempt makes the request, each time it is called. */
  constructor(attempt: Attempt, sink: UpstreamSink, { body, beforeHead, retryForMs }: CallOptions) {
    this.#attempt = attempt;
    this.#body = body;
    this.#sink = sink;
    this.#gate = beforeHead;
    this.#retryUntil = performance.now() + retryForMs;
    attempt(this, body);
  }

  get wasSent(): boolean {
    return this.#controller !== undefined;
  }

  abort(): void {
    this.#aborted = true;
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#retryTimer);
    this.#controller?.abort(GONE);
  }

  pause(): void {
    this.#isPaused = true;
    this.#controller?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#heldBytes <= HELD_MAX_BYTES) this.#controller?.resume();
  }

  /** undici calls this when it has a connection, just before the first byte is written: the one sign of "sent". */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    this.#body = undefined;
    if (this.#over) controller.abort(GONE);
    else this.#sink.onSent();
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (this.#over || status < 200) return;
    const head = { status, headers };
    if (!this.#gate) {
      this.#sink.onHead(head);
      return;
    }
    this.#held = [() => this.#sink.onHead(head)];
    this.#gate(head, () => this.#pass());
  }

  #pass(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const give of held) if (!this.#aborted) give();
    // Not before: undici reads on within a resume, and its next chunk would overtake what was held.
    const wasFull = this.#heldBytes > HELD_MAX_BYTES;
    this.#heldBytes = 0;
    if (wasFull && !this.#isPaused && !this.#over) this.#controller?.resume();
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#over) return;
    if (this.#held) this.#hold(chunk);
    else this.#sink.onData(chunk);
  }

  #hold(chunk: Buffer): void {
    this.#held?.push(() => this.#sink.onData(chunk));
    this.#heldBytes += chunk.length;
    if (this.#heldBytes > HELD_MAX_BYTES) this.#controller?.pause();
  }

  onResponseEnd(): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#held) this.#held.push(() => this.#sink.onEnd());
    else this.#sink.onEnd();
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    if (this.#over) return;
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
    this.#over = true;
    const failure = toUpstreamError(error, wasSent);
    if (this.#held) this.#held.push(() => this.#sink.onFailure(failure));
    else this.#sink.onFailure(failure);
  }
}
