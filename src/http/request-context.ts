import type { Socket } from "node:net";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ErrorSource, GatewayError } from "../errors.ts";
import { sendError } from "./send-error.ts";

/** What one generation used and cost, as OpenRouter says. */
export interface Usage {
  /** Counts of tokens by the names that metering gives them. */
  readonly tokens: Readonly<Partial<Record<string, number>>>;
  /** US dollars; undefined when upstream did not say. */
  readonly costUsd: number | undefined;
  /** Whether the request used the account's own key at the provider (BYOK). */
  readonly isByok: boolean | undefined;
  /** US dollars that the provider charges; only with BYOK they come on top of `costUsd`. */
  readonly upstreamInferenceUsd: number | undefined;
}

/** Records what a request costs. Metering implements it. */
export interface RequestMeter {
  /**
   * Called when the head of upstream's response has arrived, with the status and generation id in the context.
   * @param release called, at once or later, when the response may pass.
   */
  recordHead(context: RequestContext, release: () => void): void;
  /** Called when the body has stated the generation id, which the head did not. */
  recordGenerationId(context: RequestContext): void;
  /** Called when the request has ended and nothing more is read for it. */
  end(context: RequestContext): void;
}

/** How a request ended. `rejected`: the gateway answered itself, before or instead of upstream. */
export type Outcome = "complete" | "upstream_error" | "client_gone" | "rejected";

/** An answer under way. An object, because a closure in its place made V8 keep every request's memory for long. */
export interface ActiveResponse {
  /** Ends it from our side with this error, whatever it has come to. */
  abort(error: GatewayError): void;
  /** Gives the client this error in place of an answer that has not begun. What is read for the bill may continue. */
  respondWithError(error: GatewayError): void;
  /**
   * Told once that its response has ended or its connection is gone. It calls `context.complete()`, then or later, when
   * there is more to be read for the bill.
   */
  onClose(): void;
}

/** What all requests in flight of one caller hold together. */
export interface CallerHoldings {
  requests: number;
  /** Of these, requests whose bodies are still arriving. */
  uploads: number;
  bodyBytes: number;
}

/** What is known of one request: filled in on its way, read once when it has ended by whoever reports it. */
export class RequestContext {
  readonly requestId: string;
  readonly method: string;
  /**
   * The pattern of the route, or a fixed name of a known endpoint that there is no route for; never the URL, which can carry
   * what a caller should not have put there.
   */
  route: string;
  /** Of the gateway key; undefined for an anonymous caller or one with a key of its own. */
  keyId: string | undefined = undefined;
  keyName: string | undefined = undefined;
  requestedModel: string | undefined = undefined;
  forwardedModel: string | undefined = undefined;
  stream = false;
  status = 0;
  outcome: Outcome | undefined = undefined;
  errorCode: string | undefined = undefined;
  errorSource: ErrorSource | undefined = undefined;
  /** System or library code of what lies under the error, such as ECONNREFUSED. */
  errorCause: string | undefined = undefined;
  /** The upstream answer ended cleanly but without its last part, such as `data: [DONE]`. */
  isIncomplete = false;
  bytesIn = 0;
  bytesOut = 0;
  /** Some of the request may have reached upstream. */
  wasSent = false;
  generationId: string | undefined = undefined;
  /** Status of upstream's answer; 0 if its head has not come. */
  upstreamStatus = 0;
  provider: string | undefined = undefined;
  responseModel: string | undefined = undefined;
  /** Upstream's answer has come to its end, so that the usage it states is final. */
  answeredWhole = false;
  /** Upstream answered with a complete JSON error in OpenRouter's shape: nothing was charged. */
  isUncharged = false;
  /** Where it is accounted for; undefined: nowhere. */
  meter: RequestMeter | undefined = undefined;
  usage: Usage | undefined = undefined;
  retries = 0;
  /** Its index among the requests under way; -1: it is not among them. */
  inFlightIndex = -1;
  /** Which requests are the same caller's, for limits on what one caller may hold: see limits/caller-id.ts. */
  callerId = "";
  /** What its caller holds; undefined while it is not among the requests in flight. */
  holdings: CallerHoldings | undefined = undefined;
  /** Its body is still arriving, and was not there when the request was let in. */
  isUploading = false;
  /** Bytes of its body that are counted as held. */
  bodyBytesHeld = 0;
  /** Where the answer comes from; undefined while there is none but ours. */
  activeResponse: ActiveResponse | undefined = undefined;
  /** `performance.now()` of the beginning, of the first upstream byte relayed (0: none was), and of the end. */
  readonly startedAt: number = performance.now();
  firstByteAt = 0;
  endedAt = 0;
  #ownMs = 0;
  #ownSince = this.startedAt;
  #working = true;

  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #report: OnRequestEnd;

  /** @param report told once, when it is finished. */
  constructor(request: FastifyRequest, reply: FastifyReply, report: OnRequestEnd) {
    this.requestId = request.id;
    this.method = request.method;
    this.route = request.routeOptions.url ?? "";
    this.#request = request;
    this.#reply = reply;
    this.#report = report;
  }

  /** The response has ended or its connection is gone: nothing may be begun for it any more. */
  get hasEnded(): boolean {
    return this.endedAt !== 0;
  }

  /** Whether a part of the answer is already on its way to the caller. */
  get headersSent(): boolean {
    return this.#reply.raw.headersSent;
  }

  /** Ends the request from our side: breaks off the answer that is under way, or answers with this error. */
  abort(error: GatewayError): void {
    if (this.activeResponse) this.activeResponse.abort(error);
    else sendError(this.#request, this.#reply, error);
  }

  /** Answers with this error, because the client's connection can carry nothing else any more. */
  respondWithError(error: GatewayError): void {
    if (this.activeResponse) this.activeResponse.respondWithError(error);
    else sendError(this.#request, this.#reply, error);
  }

  /** Nothing more comes of it: it is reported. */
  complete(): void {
    const response = this.#reply.raw;
    this.status = response.headersSent ? response.statusCode : 0;
    if (this.outcome === undefined) {
      const answered = response.statusCode < 400 ? "complete" : "rejected";
      this.outcome = response.writableFinished ? answered : "client_gone";
    }
    this.#report(this);
  }

  /** The answer is, or ends with, this error. */
  recordError(error: GatewayError): void {
    this.errorCode = error.code;
    this.errorSource = error.source;
    this.errorCause = causeOf(error.cause);
    this.outcome = error.source === "upstream" ? "upstream_error" : "rejected";
  }

  /** From here on the caller or upstream is waited for, not the gateway. */
  waitsForOthers(): void {
    this.#working = false;
    this.#ownMs += performance.now() - this.#ownSince;
  }

  /** From here on the gateway works again. */
  works(): void {
    if (this.#working) return;
    this.#working = true;
    this.#ownSince = performance.now();
  }

  /** Time that the gateway itself has added so far, in ms. Call while it works. */
  ownMs(): number {
    return this.#ownMs + performance.now() - this.#ownSince;
  }
}

/** A code or a class name; never a message, which can quote what must not be logged. */
function causeOf(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  return "code" in cause && typeof cause.code === "string" ? cause.code : cause.name;
}

declare module "fastify" {
  interface FastifyRequest {
    context: RequestContext;
  }
}

/** Told once of every request, when its response has ended or its connection is gone and nothing more is read for it. */
export type OnRequestEnd = (context: RequestContext) => void;

const activeRequests = new WeakMap<Socket, RequestContext>();

/** The last request that is under way on a connection, if there is one. */
export function findActiveRequest(socket: Socket): RequestContext | undefined {
  return activeRequests.get(socket);
}

/** Begins the record of a request. Fastify's own hooks do not run for one that was aborted, nor on a hijacked reply. */
export function beginRequest(request: FastifyRequest, reply: FastifyReply, report: OnRequestEnd): void {
  const context = new RequestContext(request, reply, report);
  request.context = context;
  const { socket } = request.raw;
  activeRequests.set(socket, context);
  reply.raw.once("close", () => {
    // Requests can be pipelined: the next one on this connection may have begun.
    if (activeRequests.get(socket) === context) activeRequests.delete(socket);
    context.endedAt = performance.now();
    if (context.activeResponse) context.activeResponse.onClose();
    else context.complete();
  });
}

/**
 * Whether our half of a request's connection has ended, as behind a request whose body was refused, or behind too many
 * pipelined ones: no answer can be sent, so the request must not be executed, and billed, either.
 */
function isUnanswerable({ raw }: FastifyRequest): boolean {
  return raw.socket.writableEnded || raw.socket.destroyed;
}

/** Gives every request a {@link RequestContext}, `request.context`. */
export function trackRequests(app: FastifyInstance, report: OnRequestEnd): void {
  app.decorateRequest("context");
  app.addHook("onRequest", (request, reply, done) => {
    if (isUnanswerable(request)) {
      reply.hijack();
      request.raw.socket.destroy();
      return;
    }
    beginRequest(request, reply, report);
    done();
  });
}
