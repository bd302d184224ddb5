import type { IncomingMessage } from "node:http";
import type { FastifyRequest } from "fastify";
import { GatewayError } from "../errors.ts";
import type { RequestContext } from "./request-context.ts";

/** Limits the bytes of bodies that the process holds. */
export interface BodyBudget {
  /**
   * Checks a declared length before the body is read, without counting it.
   * @returns the error to send if there is no room for the body.
   */
  check(context: RequestContext, bytes: number): GatewayError | undefined;
  /** Counts received bytes as held, until `release`. @returns the error to send if there is no room for them. */
  hold(context: RequestContext, bytes: number): GatewayError | undefined;
  /** Stops counting all bytes of the request. Repeated calls have no effect. */
  release(context: RequestContext): void;
}

/** Limits the number of bodies that are still arriving. */
export interface UploadLimit {
  /** Counts the body as still arriving. @returns the error to send if too many bodies are arriving. */
  beginUpload(context: RequestContext): GatewayError | undefined;
  /** Stops counting the body. Has no effect on a body that is not counted. */
  endUpload(context: RequestContext): void;
}

/** Minimum rate of a body. It may take `graceMs` to arrive, and one more second for every `bytesPerSecond` bytes received. */
export interface MinRate {
  readonly graceMs: number;
  readonly bytesPerSecond: number;
}

/** The defaults of Apache's mod_reqtimeout. */
export const MIN_RATE: MinRate = { graceMs: 20_000, bytesPerSecond: 500 };

/** Limits on request bodies. */
export interface BodyLimits {
  /** Maximum length of one body. */
  readonly maxBytes: number;
  readonly budget: BodyBudget;
  readonly uploads: UploadLimit;
  readonly minRate: MinRate;
}

const LONG_BODY_BYTES = 1_048_576;

interface BodyStream extends IncomingMessage {
  /** See CoalescingMessage. Without this field, no body counts as received together with its head. */
  readonly arrivedBytes?: number;
}

type BodyDone = (error: Error | null, body?: Buffer) => void;

/** Checks the declared length of a body, if there is one. @returns the error to send before the body is read. */
export function checkDeclaredLength(
  { context, headers }: FastifyRequest,
  { maxBytes, budget }: BodyLimits,
): GatewayError | undefined {
  const declared = Number(headers["content-length"] ?? 0);
  return declared > maxBytes ? new GatewayError("request_too_large") : budget.check(context, declared);
}

/**
 * Reads the body of a request into one Buffer, without a copy if it arrives in one chunk. Stops reading when the body exceeds
 * a limit.
 */
export class BodyReader {
  readonly #context: RequestContext;
  readonly #payload: BodyStream;
  readonly #limits: BodyLimits;
  readonly #done: BodyDone;
  /** NaN if no length was declared. */
  readonly #declaredBytes: number;
  #chunks: Buffer[] = [];
  /** Buffer for a whole long body, allocated when half of it has arrived. A final `concat` would need twice the memory. */
  #whole: Buffer | undefined = undefined;
  #received = 0;
  #firstTurn: NodeJS.Immediate | undefined = undefined;
  #deadline: NodeJS.Timeout | undefined = undefined;
  #startedAt = 0;

  readonly #onData = (chunk: Buffer): void => {
    if (this.#isObsolete) this.#stop();
    else this.#take(chunk);
  };
  readonly #onEnd = (): void => {
    const isComplete = Number.isNaN(this.#declaredBytes) || this.#declaredBytes === this.#received;
    if (!isComplete) this.#fail(new GatewayError("bad_request"));
    else this.#succeed();
  };
  readonly #onError = (error: Error): void => this.#fail(new GatewayError("bad_request", { cause: error }));

  /** @param done called with the body or an error; not called if a response is sent, or the request ends, before that. */
  constructor(request: FastifyRequest, payload: BodyStream, limits: BodyLimits, done: BodyDone) {
    this.#context = request.context;
    this.#declaredBytes = Number(request.headers["content-length"]);
    this.#payload = payload;
    this.#limits = limits;
    this.#done = done;
  }

  /** Starts reading. A body that was sent together with its head is read before the next turn of the event loop. */
  start(): void {
    this.#payload.on("data", this.#onData).on("end", this.#onEnd).on("error", this.#onError);
    // Node may not have parsed all of the current read, which can contain the rest of the body.
    if (this.#payload.arrivedBytes !== this.#declaredBytes)
      this.#firstTurn = setImmediate(() => this.#beginUpload());
  }

  /** Whether the body is no longer needed: the request has ended or has its response, for example because of a shutdown. */
  get #isObsolete(): boolean {
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

  /** Rejects a body that arrives too slowly. Otherwise checks again when the time for the received bytes has passed. */
  #checkSpeed(): void {
    const { graceMs, bytesPerSecond } = this.#limits.minRate;
    const leftMs = this.#startedAt + graceMs + (this.#received * 1_000) / bytesPerSecond - performance.now();
    if (leftMs > 0) this.#deadline = setTimeout(() => this.#checkSpeed(), Math.min(leftMs, graceMs));
    else
      this.#fail(
        new GatewayError(
          "request_timeout",
          `The request body arrived too slowly; send at least ${bytesPerSecond} bytes/s.`,
        ),
      );
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

  /** Whether half of a long body has arrived. Its Buffer is not allocated earlier, because the rest may never arrive. */
  #isHalfOfLong(): boolean {
    return this.#declaredBytes >= LONG_BODY_BYTES && this.#received * 2 >= this.#declaredBytes;
  }

  #succeed(): void {
    const body = this.#whole ?? joinChunks(this.#chunks, this.#received);
    this.#detach();
    this.#context.stopwatch.resume();
    this.#context.bytesIn = body.length;
    this.#done(null, body);
  }

  #fail(error: GatewayError): void {
    this.#stop();
    if (!this.#isObsolete) this.#done(error);
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

function joinChunks(chunks: Buffer[], length: number): Buffer {
  const [first] = chunks;
  return first && chunks.length === 1 ? first : Buffer.concat(chunks, length);
}
