import type { FastifyReply, FastifyRequest } from "fastify";
import type { ErrorSource, GatewayError } from "../errors.ts";
import { sendError } from "./send-error.ts";
import { Stopwatch } from "./stopwatch.ts";

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

/** What a request needs of metering, which implements it: a record of what the request costs. */
export interface RequestMeter {
  /**
   * Called when the head of upstream's response has arrived, with the status and generation id in the context.
   * @param release called, at once or later, when the response may be sent to the client.
   */
  recordHead(context: RequestContext, release: () => void): void;
  /** Called when the body has stated the generation id, which the head did not. */
  recordGenerationId(context: RequestContext): void;
  /** Called when the request has ended and nothing more is read for it. */
  end(context: RequestContext): void;
}

/** How a request ended. `rejected`: the gateway sent an error of its own, before or instead of upstream's response. */
export type Outcome = "complete" | "upstream_error" | "client_gone" | "rejected";

/** A response in flight. An object, because a closure in its place made V8 keep every request's memory for long. */
export interface ActiveResponse {
  /** Ends it from our side with this error, however far it has come. */
  abort(error: GatewayError): void;
  /** Sends the client this error in place of a response that has not begun. What is read for its cost may continue. */
  respondWithError(error: GatewayError): void;
  /**
   * Called once, when its response has ended or its connection is gone. It calls `context.complete()`, then or later, when
   * there is more to be read for its cost.
   */
  onClose(): void;
}

/** Called once for every request, when its response has ended or its connection is gone and nothing more is read for it. */
export type OnRequestEnd = (context: RequestContext) => void;

/** What all requests in flight of one caller hold together. */
export interface CallerHoldings {
  requests: number;
  /** Of these, requests whose bodies are still arriving. */
  uploads: number;
  bodyBytes: number;
}

/** What limits/ keeps of one request. Fields of the context, and not an object that every request would have to allocate. */
export interface LimitState {
  /** Which requests are the same caller's, for limits on what one caller may hold: see limits/caller-id.ts. */
  callerId: string;
  /** Its index among the requests in flight; -1: it is not among them. */
  inFlightIndex: number;
  /** What its caller holds; undefined while it is not among the requests in flight. */
  holdings: CallerHoldings | undefined;
  /** Its body is still arriving, and was not there when the request was admitted. */
  isUploading: boolean;
  /** Bytes of its body that are counted as held. */
  bodyBytesHeld: number;
}

/** What the gateway knows of one request: filled in on its way, and read once, when it has ended. */
export class RequestContext implements LimitState {
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
  bytesIn = 0;
  callerId = "";
  inFlightIndex = -1;
  holdings: CallerHoldings | undefined = undefined;
  isUploading = false;
  bodyBytesHeld = 0;
  /** Records what it costs; undefined: nothing does. */
  meter: RequestMeter | undefined = undefined;
  /** Some of the request may have reached upstream. */
  wasSent = false;
  retries = 0;
  /** Relays upstream's response; undefined while there is none but ours. */
  activeResponse: ActiveResponse | undefined = undefined;
  /** Status of upstream's response; 0 if its head has not arrived. */
  upstreamStatus = 0;
  generationId: string | undefined = undefined;
  provider: string | undefined = undefined;
  responseModel: string | undefined = undefined;
  /** Upstream's response has come to its end, so that the usage it states is final. */
  isResponseComplete = false;
  /** Upstream's response ended cleanly but without its last part, such as `data: [DONE]`. */
  isIncomplete = false;
  /** Upstream's response was a complete JSON error in OpenRouter's shape: nothing was charged. */
  isUncharged = false;
  usage: Usage | undefined = undefined;
  bytesOut = 0;
  status = 0;
  outcome: Outcome | undefined = undefined;
  errorCode: string | undefined = undefined;
  errorSource: ErrorSource | undefined = undefined;
  /** System or library code of what lies under the error, such as ECONNREFUSED. */
  errorCause: string | undefined = undefined;
  /** `performance.now()` of the beginning, of the first upstream byte relayed (0: none was), and of the end. */
  readonly startedAt: number = performance.now();
  firstByteAt = 0;
  endedAt = 0;
  /** Runs while the gateway works on the request. */
  readonly stopwatch: Stopwatch = new Stopwatch(this.startedAt);

  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #onEnd: OnRequestEnd;

  constructor(request: FastifyRequest, reply: FastifyReply, onEnd: OnRequestEnd) {
    this.requestId = request.id;
    this.method = request.method;
    this.route = request.routeOptions.url ?? "";
    this.#request = request;
    this.#reply = reply;
    this.#onEnd = onEnd;
  }

  /** The response has ended or its connection is gone: nothing may be begun for it any more. */
  get hasEnded(): boolean {
    return this.endedAt !== 0;
  }

  /** Whether the head of the response is already on its way to the client. */
  get headersSent(): boolean {
    return this.#reply.raw.headersSent;
  }

  /** Ends the request from our side: aborts the response that is in flight, or sends this error. */
  abort(error: GatewayError): void {
    if (this.activeResponse) this.activeResponse.abort(error);
    else sendError(this.#request, this.#reply, error);
  }

  /** Sends this error, because the client's connection can carry nothing else any more. */
  respondWithError(error: GatewayError): void {
    if (this.activeResponse) this.activeResponse.respondWithError(error);
    else sendError(this.#request, this.#reply, error);
  }

  /** Ends it: nothing more comes of it. */
  complete(): void {
    const response = this.#reply.raw;
    this.status = response.headersSent ? response.statusCode : 0;
    if (this.outcome === undefined) {
      const outcome = response.statusCode < 400 ? "complete" : "rejected";
      this.outcome = response.writableFinished ? outcome : "client_gone";
    }
    this.#onEnd(this);
  }

  /** Notes that the response is, or ends with, this error. */
  recordError(error: GatewayError): void {
    this.errorCode = error.code;
    this.errorSource = error.source;
    this.errorCause = nameCause(error.cause);
    this.outcome = error.source === "upstream" ? "upstream_error" : "rejected";
  }
}

/** A code or a class name; never a message, which can quote what must not be logged. */
function nameCause(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  return "code" in cause && typeof cause.code === "string" ? cause.code : cause.name;
}

declare module "fastify" {
  interface FastifyRequest {
    context: RequestContext;
  }
}
