import type { FastifyReply, FastifyRequest } from "fastify";
import type { ErrorSource, GatewayError } from "../errors.ts";
import { type ErrorFormat, OPENAI_ERRORS } from "./error-format.ts";
import { sendError } from "./send-error.ts";
import { Stopwatch } from "./stopwatch.ts";

/** Usage and cost of one generation, as OpenRouter states them. */
export interface Usage {
  /** Token counts, by the names that `metering/` uses. */
  readonly tokens: Readonly<Partial<Record<string, number>>>;
  /** US dollars; undefined if upstream does not state the cost. */
  readonly costUsd: number | undefined;
  /** Whether the request used the account's own key at the provider (BYOK). */
  readonly isByok: boolean | undefined;
  /** US dollars that the provider charges. With BYOK, they are charged in addition to `costUsd`. */
  readonly upstreamInferenceUsd: number | undefined;
}

/** Records the cost of one request. Implemented by `metering/`. */
export interface RequestMeter {
  /**
   * Called when the head of upstream's response has arrived, with the status and generation id in the context.
   * @param release lets the response be sent to the client. The implementation must call it, immediately or later.
   */
  recordHead(context: RequestContext, release: () => void): void;
  /** Called when the body states the generation id, if the head did not. */
  recordGenerationId(context: RequestContext): void;
  /** Called when the request has ended and nothing more is read for it. */
  end(context: RequestContext): void;
}

/** How a request ended. `rejected`: the gateway sent an error that upstream did not cause. */
export type Outcome = "complete" | "upstream_error" | "client_gone" | "rejected";

/** A response in flight. This is an object and not a callback: with a closure, V8 retained every request for a long time. */
export interface ActiveResponse {
  /** Aborts the response with this error, even if its head has been sent. */
  abort(error: GatewayError): void;
  /** Sends this error if the response has not begun. Upstream's response may still be read for its cost. */
  respondWithError(error: GatewayError): void;
  /**
   * Called once, when the response has ended or its connection has closed. It must call `context.complete()`: immediately,
   * or later if upstream's response is still read for its cost.
   */
  onClose(): void;
}

/** Called once per request, when its response or its connection has ended and upstream's response is no longer read. */
export type OnRequestEnd = (context: RequestContext) => void;

/** Totals of all requests in flight of one caller. */
export interface CallerHoldings {
  requests: number;
  /** Number of these requests whose bodies are still arriving. */
  uploads: number;
  bodyBytes: number;
}

/** The places and tokens that a request holds under the limits of its key and group. Implemented by `limits/`. */
export interface LimitHold {
  /** Whether the request has limits on tokens, so that `admitTokens` must be called when its body has been read. */
  readonly limitsTokens: boolean;
  /**
   * Counts the estimated tokens of the request, and adds the headers of its limits on tokens to the response.
   * @throws GatewayError 429 if a limit is reached.
   */
  admitTokens(context: RequestContext, reply: FastifyReply, tokens: number): Promise<void>;
  /** Releases the places, and replaces the estimated tokens by those that upstream stated. Called when the request has ended. */
  end(context: RequestContext): void;
}

/** State of one request that `limits/` uses. It is part of the request context, which saves an object per request. */
export interface LimitState {
  /** Identity of the caller, for limits per caller: see limits/caller-id.ts. */
  callerId: string;
  /** Index of the request among the requests in flight; -1 if it is not in flight. */
  inFlightIndex: number;
  /** Totals of the caller of the request; undefined while the request is not in flight. */
  holdings: CallerHoldings | undefined;
  /** Whether the body is still arriving; always false for a body that arrives together with the head. */
  isUploading: boolean;
  /** Bytes of the body that are counted as held. */
  bodyBytesHeld: number;
  /** Undefined if neither the key nor its group limits requests, tokens or requests in flight. */
  limitHold: LimitHold | undefined;
}

/** State of one request: filled in while the request is processed, and reported once, when it has ended. */
export class RequestContext implements LimitState {
  readonly requestId: string;
  readonly method: string;
  /**
   * Pattern of the route, or a fixed name of a known endpoint that has no route. Never the URL, which may contain secrets
   * that the client put there by mistake.
   */
  route: string;
  /** The format in which the client expects errors. */
  errorFormat: ErrorFormat;
  /** Name of the model endpoint, such as `chat/completions`; empty for other requests. */
  endpoint = "";
  /** The client's id of the session that the request belongs to. Only for reports: a client can send any text. */
  session: string | undefined = undefined;
  /** Id of the gateway key; undefined for an anonymous caller and for a client's own OpenRouter key. */
  keyId: string | undefined = undefined;
  keyName: string | undefined = undefined;
  /** Id of the group that the key belongs to. */
  groupId: string | undefined = undefined;
  /** The name of the end user. Only for reports and budgets of end users: a client can send any text. */
  endUser: string | undefined = undefined;
  requestedModel: string | undefined = undefined;
  forwardedModel: string | undefined = undefined;
  stream = false;
  bytesIn = 0;
  callerId = "";
  inFlightIndex = -1;
  holdings: CallerHoldings | undefined = undefined;
  isUploading = false;
  bodyBytesHeld = 0;
  limitHold: LimitHold | undefined = undefined;
  /** Records the cost of the request; undefined if the cost is not recorded. */
  meter: RequestMeter | undefined = undefined;
  /** Whether part of the request may have reached upstream. */
  wasSent = false;
  retries = 0;
  /** Relays upstream's response; undefined before the upstream request, and if the gateway responds itself. */
  activeResponse: ActiveResponse | undefined = undefined;
  /** Status of upstream's response; 0 if its head has not arrived. */
  upstreamStatus = 0;
  generationId: string | undefined = undefined;
  provider: string | undefined = undefined;
  responseModel: string | undefined = undefined;
  /** Whether upstream's response is complete, so that its usage is final. */
  isResponseComplete = false;
  /** Whether upstream's response ended without its last part, such as `data: [DONE]`. */
  isIncomplete = false;
  /** Whether upstream's response was a complete JSON error in OpenRouter's format, which means that nothing was charged. */
  isUncharged = false;
  usage: Usage | undefined = undefined;
  bytesOut = 0;
  status = 0;
  outcome: Outcome | undefined = undefined;
  errorCode: string | undefined = undefined;
  errorSource: ErrorSource | undefined = undefined;
  /** System or library code of the error's cause, such as ECONNREFUSED. */
  errorCause: string | undefined = undefined;
  /** `performance.now()` at the start, at the first relayed byte, and at the end. The last two are 0 until then. */
  readonly startedAt: number = performance.now();
  firstByteAt = 0;
  endedAt = 0;
  /** Runs until the response begins, while the gateway itself works on the request and does not wait for client or upstream. */
  readonly stopwatch: Stopwatch = new Stopwatch(this.startedAt);

  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #onEnd: OnRequestEnd;

  constructor(request: FastifyRequest, reply: FastifyReply, onEnd: OnRequestEnd) {
    this.requestId = request.id;
    this.method = request.method;
    const { url, config } = request.routeOptions;
    this.route = url ?? "";
    this.errorFormat = (config as typeof config | undefined)?.errorFormat ?? OPENAI_ERRORS;
    this.#request = request;
    this.#reply = reply;
    this.#onEnd = onEnd;
  }

  /** Whether the response has ended or its connection has closed: no new work may begin. */
  get hasEnded(): boolean {
    return this.endedAt !== 0;
  }

  /** Whether the head of the response has been sent. */
  get headersSent(): boolean {
    return this.#reply.raw.headersSent;
  }

  /** Aborts the response in flight, or sends this error if there is none. */
  abort(error: GatewayError): void {
    if (this.activeResponse) this.activeResponse.abort(error);
    else sendError(this.#request, this.#reply, error);
  }

  /** Sends this error as the last response on a connection that cannot be used for another request. */
  respondWithError(error: GatewayError): void {
    if (this.activeResponse) this.activeResponse.respondWithError(error);
    else sendError(this.#request, this.#reply, error);
  }

  /** Sets status and outcome, and reports the request as ended. */
  complete(): void {
    const response = this.#reply.raw;
    this.status = response.headersSent ? response.statusCode : 0;
    if (this.outcome === undefined) {
      const outcome = response.statusCode < 400 ? "complete" : "rejected";
      this.outcome = response.writableFinished ? outcome : "client_gone";
    }
    this.#onEnd(this);
  }

  /** Records the error that replaces the response, or that ends it. */
  recordError(error: GatewayError): void {
    this.errorCode = error.code;
    this.errorSource = error.source;
    this.errorCause = nameCause(error.cause);
    this.outcome = error.source === "upstream" ? "upstream_error" : "rejected";
  }
}

/** Returns the code or class name of an error. Never its message, which may quote data that must not be logged. */
function nameCause(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  return "code" in cause && typeof cause.code === "string" ? cause.code : cause.name;
}

declare module "fastify" {
  interface FastifyRequest {
    context: RequestContext;
  }
}
