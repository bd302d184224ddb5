import type { ServerResponse } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import { GatewayError } from "../errors.ts";
import { sendError } from "../http/send-error.ts";
import type { ActiveResponse, RequestContext } from "../http/request-context.ts";
import { addUpstreamHeaders } from "../http/headers.ts";
import { getDefaultHeaders } from "../http/default-headers.ts";
import type { UpstreamCall, UpstreamSink } from "../upstream/call.ts";
import type { UpstreamHead } from "../upstream/response-head.ts";
import { abortResponse } from "./abort-response.ts";
import { type DrainBounds, DrainLimit } from "./drain-limit.ts";
import type { RelayOptions } from "./relay-options.ts";
import type { ResponseFormat } from "./response-format.ts";
import { ResponseInspector } from "./response-inspector.ts";
import { forbidsRetry, checkResponseHead } from "./response-guard.ts";
import { addDeliveryHeaders } from "./stream-headers.ts";

/** Time that upstream may be silent after `[DONE]` before the gateway ends the response. */
const AFTER_DONE_MS = 1_000;

/**
 * - `awaiting-head`: upstream's head has not arrived. Next: `relaying`, or `ended` with an error of the gateway.
 * - `relaying`: the gateway sends head and body to the client. Next: `ended`, when upstream's response ends or fails, or on
 *   `abort()`. Next, if the client disconnects or the response exceeds the total timeout or the size limit: `awaiting-id`,
 *   `draining` or `ended`.
 * - `awaiting-id`: the client no longer receives the response. The generation id, which is needed to look up the cost, is
 *   unknown, and the response may still be a refusal. The relay reads until the id arrives, the refusal is complete, or neither
 *   is possible. The limits are `headWaitMs` and `idWithinBytes`, or the limits on draining if they are higher.
 * - `draining`: the client no longer receives the response, and the id is known. If `drainBounds` is set, the relay reads the
 *   rest of the response, because its end states the cost.
 * - `ended`: the relay reads nothing more from upstream. The request completes when the response to the client has closed, too.
 */
type RelayState = "awaiting-head" | "relaying" | "awaiting-id" | "draining" | "ended";

/** Relays one upstream response to one client: the same bytes, as they arrive, no faster than the client reads them. */
export class Relay implements UpstreamSink, ActiveResponse {
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #response: ServerResponse;
  readonly #context: RequestContext;
  readonly #options: RelayOptions;
  readonly #inspector: ResponseInspector;
  #call: UpstreamCall | undefined = undefined;
  #state: RelayState = "awaiting-head";
  #isPaused = false;
  /** Limits how much the relay reads after the client has stopped receiving the response. */
  #drainLimit: DrainLimit | undefined = undefined;
  #drainBounds: DrainBounds | undefined;
  #deadline: NodeJS.Timeout | undefined = undefined;
  #silenceTimer: NodeJS.Timeout | undefined = undefined;

  /** @param format where the response states its end and its usage. */
  constructor(request: FastifyRequest, reply: FastifyReply, options: RelayOptions, format: ResponseFormat) {
    this.#request = request;
    this.#reply = reply;
    this.#response = reply.raw;
    this.#context = request.context;
    this.#options = options;
    this.#drainBounds = options.drainBounds;
    this.#inspector = new ResponseInspector(format);
  }

  /** Sends the request, and relays its response. @param send sends the request upstream, with this relay as the sink. */
  start(send: (sink: UpstreamSink) => UpstreamCall): void {
    this.#reply.hijack();
    // While the journal was written, the client may have disconnected, or sent invalid bytes and received an error.
    if (this.#context.hasEnded || this.#context.headersSent) return;
    // A write can fail when the client disconnects. The error needs no handling, because `close` follows.
    this.#response.on("error", () => {});
    this.#context.activeResponse = this;
    this.#context.stopwatch.pause();
    this.#call = send(this);
  }

  /** Aborts the response to the client and the upstream request. */
  abort(error: GatewayError): void {
    this.#call?.abort();
    this.onFailure(error);
  }

  respondWithError(error: GatewayError): void {
    this.#respondInstead(this.#call?.wasSent ? error.withoutRetry() : error);
  }

  /** Sends an error instead of upstream's head. Then reads what is needed for the cost, as after a disconnect. */
  #respondInstead(error: GatewayError): void {
    if (this.#state !== "awaiting-head") return;
    sendError(this.#request, this.#reply, error);
    this.#readForCost();
  }

  onSent(): void {
    this.#deadline = setTimeout(exceedDeadline, this.#options.totalTimeoutMs, this);
  }

  /**
   * Ends a response that exceeds a limit. The client receives this error, or an aborted response if the head has been sent.
   * The relay does not drain: it aborts the upstream request when the generation id is known or `headWaitMs` has passed.
   */
  endAtLimit(error: GatewayError): void {
    const state = this.#state;
    this.#drainBounds = undefined;
    if (state === "awaiting-head") this.#respondInstead(error);
    else if (state === "relaying" && this.#inspector.hasDone) this.abort(error);
    else if (state === "relaying") {
      this.#abortResponse(error);
      this.#readForCost();
    } else if (state === "draining") this.#abortUpstream();
    else if (state === "awaiting-id")
      this.#limitReading({ ms: this.#options.headWaitMs, bytes: this.#idWithinBytes });
  }

  onHead(head: UpstreamHead): void {
    if (this.#state === "ended") return;
    const context = this.#context;
    context.stopwatch.resume();
    this.#inspector.onHead(head, context);
    if (this.#state !== "awaiting-head") return this.#readForCost();
    const refusal = checkResponseHead(head, this.#options.usesOperatorKey);
    if (refusal) return this.#respondInstead(refusal);
    if (head.status >= 400) context.outcome = "upstream_error";
    this.#writeHead(head);
  }

  #writeHead(head: UpstreamHead): void {
    const { status, headers } = head;
    const responseHeaders = addUpstreamHeaders(getDefaultHeaders(this.#reply), headers);
    if (forbidsRetry(head)) responseHeaders["x-should-retry"] = "false";
    this.#context.stopwatch.stop();
    addDeliveryHeaders(responseHeaders, this.#context, this.#inspector.isEventStream);
    this.#response.writeHead(status, responseHeaders);
    this.#state = "relaying";
    // Flushes the head on the next tick, so that it shares a packet with body bytes of the same read.
    process.nextTick(flushHeaders, this.#response, this.#context);
  }

  onData(chunk: Buffer): void {
    if (this.#state === "ended") return;
    const context = this.#context;
    // Checks the limit before `push`: if the response is aborted, `isBetweenEvents` must refer to the bytes written so far,
    // which do not include this chunk.
    if (this.#state === "relaying" && context.bytesOut + chunk.length > this.#options.responseLimitBytes)
      this.endAtLimit(new GatewayError("response_too_large"));
    this.#inspector.push(chunk);
    if (this.#state !== "relaying") {
      if (this.#state === "awaiting-id" && context.generationId !== undefined) this.#readForCost();
      // RefusalReader limits the length of a refusal itself.
      else if (!this.#inspector.mayBeRefusal) this.#drainLimit?.count(chunk);
      return;
    }
    if (context.firstByteAt === 0) context.firstByteAt = performance.now();
    context.bytesOut += chunk.length;
    if (!this.#response.write(chunk) && !this.#isPaused) this.#pause();
    if (this.#silenceTimer) this.#silenceTimer.refresh();
    // Usually the end arrives in the same read. The timer is needed only if it does not.
    else if (this.#inspector.endsWithDone(chunk)) process.nextTick(() => this.#endWhenSilent());
  }

  /** Ends a complete stream if upstream is silent after `[DONE]`, instead of waiting for the idle timeout. */
  #endWhenSilent(): void {
    if (this.#state !== "relaying" || this.#silenceTimer) return;
    this.#silenceTimer = setTimeout(() => {
      const { bytesOut } = this.#context;
      // When the event loop is late, timers run before arrived bytes are read. Immediates run after that read.
      setImmediate(() => {
        if (this.#state !== "relaying" || this.#context.bytesOut !== bytesOut) return;
        // While the relay is paused, upstream seems silent although it may have sent more.
        if (this.#isPaused) {
          this.#silenceTimer?.refresh();
          return;
        }
        this.#call?.abort();
        this.onEnd();
      });
    }, AFTER_DONE_MS).unref();
  }

  onEnd(): void {
    if (this.#state === "ended") return;
    if (this.#inspector.isTruncated) {
      this.onFailure(new GatewayError("upstream_disconnected"));
      return;
    }
    const context = this.#context;
    // A stream without [DONE] may lack its final usage even if the connection ended cleanly.
    context.isResponseComplete = !this.#inspector.isMissingDone;
    if (this.#state !== "relaying") return this.#end();
    this.#end();
    context.isIncomplete = this.#inspector.isMissingDone;
    if (this.#inspector.hasError) context.outcome = "upstream_error";
    context.outcome ??= "complete";
    this.#response.end();
  }

  onFailure(error: GatewayError): void {
    const state = this.#state;
    if (state === "ended") return;
    // After [DONE] a stream is complete, even if its connection fails.
    if (state === "relaying" && this.#inspector.hasDone) return this.onEnd();
    this.#end();
    if (state === "awaiting-id" || state === "draining") return;
    if (state === "awaiting-head") sendError(this.#request, this.#reply, error);
    else this.#abortResponse(error);
  }

  #abortResponse(error: GatewayError): void {
    this.#context.recordError(error);
    this.#context.isIncomplete = true;
    const { requestId, errorFormat } = this.#context;
    const events = this.#inspector.isBetweenEvents ? errorFormat.formatEvents(error, requestId) : undefined;
    abortResponse(this.#response, events);
  }

  onRetry(): void {
    this.#context.retries++;
  }

  #pause(): void {
    this.#isPaused = true;
    this.#call?.pause();
    this.#response.once("drain", () => {
      this.#isPaused = false;
      // Node may emit `drain` while undici reads from upstream, and undici ignores a resume during a read.
      process.nextTick(() => this.#call?.resume());
    });
  }

  onClose(): void {
    if (this.#state === "awaiting-head" || this.#state === "relaying") {
      this.#context.outcome = "client_gone";
      this.#readForCost();
    } else if (this.#state === "ended") {
      if (this.#context.outcome === "complete" && !this.#response.writableFinished)
        this.#context.outcome = "client_gone";
      this.#complete();
    }
  }

  get #idWithinBytes(): number {
    return this.#inspector.getIdWithinBytes(this.#options.responseLimitBytes);
  }

  /** Reads only the part of the response that is needed to know its cost or to look it up, and aborts the rest. */
  #readForCost(): void {
    const drainBounds = this.#drainBounds;
    const waitMs = Math.max(this.#options.headWaitMs, drainBounds?.ms ?? 0);
    // A request that was never sent costs nothing.
    if (!this.#call?.wasSent) this.#abortUpstream();
    else if (!this.#inspector.isCostKnowable(this.#context) && waitMs > 0)
      this.#readOn("awaiting-id", {
        ms: waitMs,
        bytes: Math.max(this.#idWithinBytes, drainBounds?.bytes ?? 0),
      });
    else if (drainBounds && this.#context.generationId !== undefined) this.#readOn("draining", drainBounds);
    else this.#abortUpstream();
  }

  #readOn(state: "awaiting-id" | "draining", bounds: DrainBounds): void {
    // When the head arrives, a document may be read further than a response of unknown type.
    if (this.#state === state) return this.#drainLimit?.allow(bounds.bytes);
    this.#state = state;
    this.#limitReading(bounds);
    this.#call?.resume();
  }

  #limitReading(bounds: DrainBounds): void {
    this.#drainLimit?.end();
    this.#drainLimit = new DrainLimit(bounds, () => this.#abortUpstream());
  }

  #abortUpstream(): void {
    this.#call?.abort();
    this.#end();
  }

  #end(): void {
    this.#state = "ended";
    clearTimeout(this.#deadline);
    this.#drainLimit?.end();
    // If the response to the client is still open, `onClose` completes the request.
    if (this.#context.hasEnded) this.#complete();
  }

  #complete(): void {
    this.#context.wasSent = this.#call?.wasSent ?? false;
    this.#inspector.finish(this.#context);
    this.#context.complete();
  }
}

function exceedDeadline(relay: Relay): void {
  relay.endAtLimit(new GatewayError("deadline_exceeded"));
}

function flushHeaders(response: ServerResponse, context: RequestContext): void {
  if (context.bytesOut === 0 && !response.writableEnded) response.flushHeaders();
}
