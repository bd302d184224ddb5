import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestAsyncHookHandler } from "fastify";
import { GatewayError } from "../errors.ts";
import { getDefaultHeaders } from "../http/default-headers.ts";
import type { ActiveResponse, RequestContext } from "../http/request-context.ts";
import { getCallerId } from "../limits/caller-id.ts";
import { abortResponse } from "../relay/abort-response.ts";
import { addDeliveryHeaders } from "../relay/stream-headers.ts";
import { BASE_PATHS } from "./base-paths.ts";
import { rejectOtherMethods } from "./method-not-allowed.ts";
import { readInteger, readModelQuery } from "./model-query.ts";

export const DIAGNOSTIC_STREAM_PATH = "diagnostics/stream";

/** Maximum number of concurrent streams of this process. A caller may have one of them. */
const TOTAL_MAX = 4;
export const DIAGNOSTIC_EVENTS_MAX = 100;
export const DIAGNOSTIC_DURATION_MAX_MS = 600_000;
const PARAMETERS = { filters: ["events", "interval_ms", "idle_ms"], hasPages: false };

/** When a diagnostic stream sends its events. All events follow at fixed intervals, and the last one after a silence. */
export interface DiagnosticPlan {
  /** Number of events before the silence. */
  readonly events: number;
  readonly intervalMs: number;
  readonly idleMs: number;
}

/** How the gateway treats the `X-Forwarded-For` of a request, which shows whether `TRUST_PROXY` is right. */
export type ForwardedFor = "absent" | "ignored" | "trusted";

/** An event of a diagnostic stream. */
export interface DiagnosticEvent {
  /** Time from the start of the stream at which the gateway sends the event. */
  readonly atMs: number;
  readonly text: string;
}

/** Lists the events of a diagnostic stream. Their bytes depend only on the parameters, so that a client can compare them. */
export function listDiagnosticEvents(
  { events, intervalMs, idleMs }: DiagnosticPlan,
  forwardedFor: ForwardedFor,
): DiagnosticEvent[] {
  const times = Array.from({ length: events }, (_, index) => index * intervalMs);
  times.push((times.at(-1) ?? 0) + idleMs);
  return times.map((atMs, index) => {
    const data = { event: index + 1, at_ms: atMs, ...(index === 0 && { forwarded_for: forwardedFor }) };
    const end = index === events ? "data: [DONE]\n\n" : "";
    return { atMs, text: `data: ${JSON.stringify(data)}\n\n${end}` };
  });
}

/**
 * Registers `GET /diagnostics/stream` below every base path: a stream that calls no model and costs nothing. Its delivery shows
 * how the proxies between the gateway and its client treat streams.
 */
export function registerDiagnosticStream(
  app: FastifyInstance,
  accessHooks: onRequestAsyncHookHandler[],
): void {
  /** The streams in flight, by caller. */
  const streams = new Map<string, DiagnosticStream>();
  const handler = (request: FastifyRequest, reply: FastifyReply): void => {
    const plan = readPlan(request.url);
    const callerId = getCallerId(request);
    if (streams.has(callerId))
      throw new GatewayError(
        "concurrency_limit_exceeded",
        "This caller has a diagnostic stream already; wait until it ends.",
      );
    if (streams.size >= TOTAL_MAX)
      throw new GatewayError("overloaded", "Too many diagnostic streams are in flight; try again later.");
    const events = listDiagnosticEvents(plan, findForwardedFor(request));
    const stream = new DiagnosticStream(request, reply, events, () => streams.delete(callerId));
    streams.set(callerId, stream);
    stream.start();
  };
  // A stream of ten minutes must not delay the shutdown, which waits for the responses in flight.
  app.addHook("preClose", (done) => {
    for (const stream of streams.values()) stream.abort(createShutdownError());
    done();
  });
  for (const basePath of BASE_PATHS) {
    const url = `${basePath}/${DIAGNOSTIC_STREAM_PATH}`;
    rejectOtherMethods(app, url, ["GET"]);
    app.get(url, { onRequest: accessHooks }, handler);
  }
}

function createShutdownError(): GatewayError {
  return new GatewayError("shutting_down", "The gateway is shutting down; nothing was billed.");
}

/** @throws GatewayError invalid_value for a parameter that is unknown, repeated or out of its bounds. */
function readPlan(url: string): DiagnosticPlan {
  const values = new URLSearchParams(readModelQuery(url, PARAMETERS).filter);
  const read = (name: string, fallback: number, max: number): number =>
    readInteger(name, values.get(name) ?? String(fallback), { min: name === "events" ? 1 : 0, max });
  const plan = {
    events: read("events", 10, DIAGNOSTIC_EVENTS_MAX),
    intervalMs: read("interval_ms", 100, DIAGNOSTIC_DURATION_MAX_MS),
    idleMs: read("idle_ms", 0, DIAGNOSTIC_DURATION_MAX_MS),
  };
  if ((plan.events - 1) * plan.intervalMs + plan.idleMs > DIAGNOSTIC_DURATION_MAX_MS)
    throw new GatewayError(
      "invalid_value",
      "The stream would take more than ten minutes; ask for fewer events, or for shorter times.",
      { param: "interval_ms" },
    );
  return plan;
}

function findForwardedFor(request: FastifyRequest): ForwardedFor {
  if (request.headers["x-forwarded-for"] === undefined) return "absent";
  // The addresses of the trusted proxies and, last, that of the client; without the former, no proxy is trusted.
  return (request.ips?.length ?? 1) > 1 ? "trusted" : "ignored";
}

/** One diagnostic stream in flight. */
class DiagnosticStream implements ActiveResponse {
  readonly #reply: FastifyReply;
  readonly #context: RequestContext;
  readonly #events: readonly DiagnosticEvent[];
  readonly #onClosed: () => void;
  #next = 0;
  #startedAt = 0;
  #timer: NodeJS.Timeout | undefined = undefined;

  /** @param onClosed called once, when the response has ended or its connection has closed. */
  constructor(
    request: FastifyRequest,
    reply: FastifyReply,
    events: readonly DiagnosticEvent[],
    onClosed: () => void,
  ) {
    this.#reply = reply;
    this.#context = request.context;
    this.#events = events;
    this.#onClosed = onClosed;
  }

  /** Sends the head and the first event, and schedules the others. */
  start(): void {
    const response = this.#reply.raw;
    this.#reply.hijack();
    if (this.#context.hasEnded || this.#context.headersSent) return this.#onClosed();
    // A write can fail when the client disconnects. The error needs no handling, because `close` follows.
    response.on("error", () => {});
    this.#context.activeResponse = this;
    this.#context.stream = true;
    const headers = getDefaultHeaders(this.#reply);
    headers["content-type"] = "text/event-stream";
    addDeliveryHeaders(headers, this.#context, true);
    response.writeHead(200, headers);
    this.#startedAt = performance.now();
    this.#context.firstByteAt = this.#startedAt;
    this.#sendDue();
  }

  /** Sends the events whose times have come. The times count from the start, so that late timers do not add up. */
  #sendDue(): void {
    const elapsedMs = performance.now() - this.#startedAt;
    let event = this.#events[this.#next];
    for (; event && event.atMs <= elapsedMs; event = this.#events[++this.#next]) {
      this.#context.bytesOut += event.text.length;
      this.#reply.raw.write(event.text);
    }
    if (event) this.#timer = setTimeout(() => this.#sendDue(), Math.ceil(event.atMs - elapsedMs));
    else this.#reply.raw.end();
  }

  abort(error: GatewayError): void {
    clearTimeout(this.#timer);
    const { requestId, errorFormat } = this.#context;
    this.#context.recordError(error);
    this.#context.isIncomplete = true;
    abortResponse(this.#reply.raw, errorFormat.formatEvents(error, requestId));
  }

  respondWithError(): void {
    // The head has been sent already: the stream ends as planned, and its connection closes then.
  }

  onClose(): void {
    clearTimeout(this.#timer);
    this.#onClosed();
    this.#context.complete();
  }
}
