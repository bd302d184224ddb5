import type { IncomingMessage } from "node:http";
import type { FastifyRequest } from "fastify";
import { GatewayError } from "../errors.ts";
import type { RequestContext } from "./request-context.ts";

/** Counts the bytes of bodies that the process holds. */
export interface BodyBudget {
  /**
   * Checks a declared length before a byte is read; counts nothing.
   * @returns the error to answer with if the body cannot be held.
   */
  check(context: RequestContext, bytes: number): GatewayError | undefined;
  /** Counts bytes that have arrived until `release`. @returns the error to answer with if they cannot be held. */
  hold(context: RequestContext, bytes: number): GatewayError | undefined;
  /** Stops counting all that the request holds. Calling it again does nothing. */
  release(context: RequestContext): void;
}

/** Counts bodies that are still arriving. */
export interface UploadLimit {
  /** Counts the body as one that is still arriving. @returns the error to answer with if there are too many. */
  beginUpload(context: RequestContext): GatewayError | undefined;
  /** Stops counting it. Does nothing for a body that was not counted. */
  endUpload(context: RequestContext): void;
}

/** The least speed of a body: it may take `graceMs`, and a second more for every `bytesPerSecond` of it. */
export interface MinRate {
  readonly graceMs: number;
  readonly bytesPerSecond: number;
}

/** As Apache's mod_reqtimeout has it by default. */
export const MIN_RATE: MinRate = { graceMs: 20_000, bytesPerSecond: 500 };

/** All that bounds the bodies of requests. */
export interface BodyLimits {
  /** Of one body. */
  readonly maxBytes: number;
  readonly budget: BodyBudget;
  readonly uploads: UploadLimit;
  readonly minRate: MinRate;
}

const LONG_BODY_BYTES = 1_048_576;

interface BodyStream extends IncomingMessage {
  /** As of a CoalescingMessage; without it every body is taken for one that did not come with its head. */
  readonly arrivedBytes?: number;
}

type BodyDone = (error: Error | null, body?: Buffer) => void;

/** Checks the declared length of a body, if it has one. @returns the error to answer with before a byte is read. */
export function checkDeclaredLength(
  { context, headers }: FastifyRequest,
  { maxBytes, budget }: BodyLimits,
): GatewayError | undefined {
  const declared = Number(headers["content-length"] ?? 0);
  return declared > maxBytes ? new GatewayError("request_too_large") : budget.check(context, declared);
}

/**
 * Reads the body of a request into one Buffer, without a copy if it arrives in one chunk. Reading stops at the first limit
 * that is exceeded.
 */
export class BodyReader {
  readonly #context: RequestContext;
  readonly #payload: BodyStream;
  readonly #limits: BodyLimits;
  readonly #done: BodyDone;
  /** NaN if no length was declared. */
  readonly #declaredBytes: number;
  #chunks: Buffer[] = [];
  /** Holds a long body from its half on. Joined at its end, pieces and body would be in memory together. */
  #whole: Buffer | undefined = undefined;
  #received = 0;
  #firstTurn: NodeJS.Immediate | undefined = undefined;
  #deadline: NodeJS.Timeout | undefined = undefined;
  #startedAt = 0;

  readonly #onData = (chunk: Buffer): void => {
    if (this.#isAnswered) this.#stop();
    else this.#take(chunk);
  };
  readonly #onEnd = (): void => {
    const isComplete = Number.isNaN(this.#declaredBytes) || this.#declaredBytes === this.#received;
    if (!isComplete) this.#fail(new GatewayError("bad_request"));
    else this.#succeed();
  };
  readonly #onError = (error: Error): void => this.#fail(new GatewayError("bad_request", { cause: error }));

  /** @param done called with the body or an error, unless the request is answered or ends while its body arrives. */
  constructor(request: FastifyRequest, payload: BodyStream, limits: BodyLimits, done: BodyDone) {
    this.#context = request.context;
    this.#declaredBytes = Number(request.headers["content-length"]);
    this.#payload = payload;
    this.#limits = limits;
    this.#done = done;
  }

  /** Begins to read. A body that was sent with its head is read before the next turn of the event loop. */
  start(): void {
    this.#payload.on("data", this.#onData).on("end", this.#onEnd).on("error", this.#onError);
    // The rest of a body that was sent with its head may be in the read that is being parsed now.
    if (this.#payload.arrivedBytes !== this.#declaredBytes)
      this.#firstTurn = setImmediate(() => this.#beginUpload());
  }

  /** An answer of the gateway's, such as that of a shutdown, does not wait for the body. */
  get #isAnswered(): boolean {
    return this.#context.headersSent || this.#context.hasEnded;
  }

  #beginUpload(): void {
    const refusal = this.#limits.uploads.beginUpload(this.#context);
    if (refusal) this.#fail(refusal);
    else {
      this.#startedAt = performance.now();
      this.#checkSpeed();
    }
  }

  /** Checks again when the bytes that have arrived by now no longer suffice. */
  #checkSpeed(): void {
    const { graceMs, bytesPerSecond } = this.#limits.minRate;
    const leftMs = this.#startedAt + graceMs + (this.#received * 1_000) / bytesPerSecond - performance.now();
    if (leftMs > 0) this.#deadline = setTimeout(() => this.#checkSpeed(), Math.min(leftMs, graceMs));
    else this.#fail(new GatewayError("request_timeout", "The request body arrived too slowly."));
  }

  #take(chunk: Buffer): void {
    const received = this.#received + chunk.length;
    const { maxBytes, budget } = this.#limits;
    const refusal =
      received > maxBytes ? new GatewayError("request_too_large") : budget.hold(this.#context, chunk.length);
    if (refusal) {
      this.#fail(refusal);
      return;
    }
    if (this.#whole) chunk.copy(this.#whole, this.#received);
    else this.#chunks.push(chunk);
    this.#received = received;
    if (!this.#whole && this.#isHalfOfLong()) {
      this.#whole = Buffer.allocUnsafeSlow(this.#declaredBytes);
      let at = 0;
      for (const piece of this.#chunks.splice(0)) at += piece.copy(this.#whole, at);
    }
  }

  /** Not sooner: what is declared may never arrive. */
  #isHalfOfLong(): boolean {
    return this.#declaredBytes >= LONG_BODY_BYTES && this.#received * 2 >= this.#declaredBytes;
  }

  #succeed(): void {
    const body = this.#whole ?? joined(this.#chunks, this.#received);
    this.#detach();
    this.#context.stopwatch.resume();
    this.#context.bytesIn = body.length;
    this.#done(null, body);
  }

  #fail(error: GatewayError): void {
    this.#stop();
    if (!this.#isAnswered) this.#done(error);
  }

  #stop(): void {
    this.#detach();
    this.#limits.budget.release(this.#context);
  }

  #detach(): void {
    this.#payload.off("data", this.#onData).off("end", this.#onEnd).off("error", this.#onError);
    clearImmediate(this.#firstTurn);
    clearTimeout(this.#deadline);
    this.#limits.uploads.endUpload(this.#context);
    this.#chunks = [];
    this.#whole = undefined;
  }
}

function joined(chunks: Buffer[], length: number): Buffer {
  const [first] = chunks;
  return first && chunks.length === 1 ? first : Buffer.concat(chunks, length);
}
