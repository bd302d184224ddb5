import type { ServerResponse } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import { GatewayError } from "../errors.ts";
import { sendError } from "../http/send-error.ts";
import type { ActiveResponse, RequestContext } from "../http/request-context.ts";
import { addUpstreamHeaders } from "../http/headers.ts";
import { getDefaultHeaders } from "../http/default-headers.ts";
import type { UpstreamCall, UpstreamSink } from "../upstream/call.ts";
import type { UpstreamHead } from "../upstream/response-head.ts";
import { abortResponse, formatErrorEvent } from "./abort-response.ts";
import { type DrainBounds, DrainLimit } from "./drain-limit.ts";
import type { RelayOptions } from "./relay-options.ts";
import { ResponseInspector } from "./response-inspector.ts";
import { forbidsRetry, checkResponseHead } from "./response-guard.ts";

/** How long upstream may be silent behind `[DONE]` before the response is ended. */
const AFTER_DONE_MS = 1_000;
/**
 * How much of a response without an `X-Generation-Id` header is read when nobody receives it: its id comes first in its body,
 * and an error that proves that nothing was charged is shorter.
 */
const ID_WITHIN_BYTES = 65_536;
/** From here on a status says that no generation was made. */
const NO_GENERATION_FROM = 300;

/**
 * - `awaiting-head`: upstream's head has not arrived. Next: relaying, or ended with an error of the gateway's own.
 * - `relaying`: head and body are sent to the client. Next: ended, at upstream's end, its failure or `abort()`; or, when the
 *   response exceeds the total timeout or the size limit, as when the client disconnects.
 * - `awaiting-id`: nobody receives the response any more, and neither the generation id, by which its cost can be looked up,
 *   is known, nor that upstream refused the request. Upstream is read until one of them is, and no further than `headWaitMs`
 *   and {@link ID_WITHIN_BYTES}.
 * - `draining`: the client disconnected and the id is known; for some keys the rest is read, because its end states the cost.
 * - `ended`: nothing more is read from upstream. The request completes once its response is closed as well.
 */
type RelayState = "awaiting-head" | "relaying" | "awaiting-id" | "draining" | "ended";

/** Relays one response from upstream to one client: the same bytes, as they arrive, no faster than the client reads. */
export class Relay implements UpstreamSink, ActiveResponse {
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #response: ServerResponse;
  readonly #context: RequestContext;
  readonly #options: RelayOptions;
  readonly #inspector = new ResponseInspector();
  #call: UpstreamCall | undefined = undefined;
  #state: RelayState = "awaiting-head";
  #isPaused = false;
  /** Limits the reading once nobody receives the response. */
  #drainLimit: DrainLimit | undefined = undefined;
  #drainBounds: DrainBounds | undefined;
  #deadline: NodeJS.Timeout | undefined = undefined;
  #silenceTimer: NodeJS.Timeout | undefined = undefined;

  constructor(request: FastifyRequest, reply: FastifyReply, options: RelayOptions) {
    this.#request = request;
    this.#reply = reply;
    this.#response = reply.raw;
    this.#context = request.context;
    this.#options = options;
    this.#drainBounds = options.drainBounds;
  }

  /** @param send sends the request upstream, with this relay as its sink. */
  start(send: (sink: UpstreamSink) => UpstreamCall): void {
    this.#reply.hijack();
    // The client left, or broke its connection's framing, while the request was written to the journal.
    if (this.#context.hasEnded || this.#context.headersSent) return;
    // A write that races with the client's disconnect is reported here; `close` follows and says all that matters.
    this.#response.on("error", () => {});
    this.#context.activeResponse = this;
    this.#context.stopwatch.pause();
    this.#call = send(this);
  }

  /** Ends the response from our side, visibly broken, and aborts the upstream request. */
  abort(error: GatewayError): void {
    this.#call?.abort();
    this.onFailure(error);
  }

  respondWithError(error: GatewayError): void {
    this.#respondInstead(this.#call?.wasSent ? error.withoutRetry() : error);
  }

  /** Sends an error in place of upstream's head. What is still read for the cost is as when the client disconnects. */
  #respondInstead(error: GatewayError): void {
    if (this.#state !== "awaiting-head") return;
    sendError(this.#request, this.#reply, error);
    this.#readForCost();
  }

  onSent(): void {
    this.#deadline = setTimeout(exceedDeadline, this.#options.totalTimeoutMs, this);
  }

  /**
   * Ends a response that exceeds a limit: the client receives this error, or a response that is visibly broken. Upstream is
   * aborted as when the client of a key that does not drain disconnects, so that its cost can be looked up.
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
      this.#limitReading({ ms: this.#options.headWaitMs, bytes: ID_WITHIN_BYTES });
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
    // nginx would hold back events, and the whitespace that keeps a long call alive.
    responseHeaders["x-accel-buffering"] = "no";
    if (this.#inspector.isEventStream) responseHeaders["cache-control"] ??= "no-cache";
    if (forbidsRetry(head)) responseHeaders["x-should-retry"] = "false";
    responseHeaders["server-timing"] = `gateway;dur=${this.#context.stopwatch.elapsedMs.toFixed(3)}`;
    this.#response.writeHead(status, responseHeaders);
    this.#state = "relaying";
    // At once, but in one packet with whatever of the body came in the same read.
    process.nextTick(flushHeaders, this.#response, this.#context);
  }

  onData(chunk: Buffer): void {
    if (this.#state === "ended") return;
    const context = this.#context;
    // Before the chunk is read: the end of the response depends on where the bytes that were written end.
    if (this.#state === "relaying" && context.bytesOut + chunk.length > this.#options.responseLimitBytes)
      this.endAtLimit(new GatewayError("response_too_large"));
    this.#inspector.push(chunk);
    if (this.#state !== "relaying") {
      if (this.#state === "awaiting-id" && context.generationId !== undefined) this.#readForCost();
      // A refusal has a bound of its own.
      else if (!this.#inspector.mayBeRefusal) this.#drainLimit?.count(chunk);
      return;
    }
    if (context.firstByteAt === 0) context.firstByteAt = performance.now();
    context.bytesOut += chunk.length;
    if (!this.#response.write(chunk) && !this.#isPaused) this.#pause();
    if (this.#silenceTimer) this.#silenceTimer.refresh();
    // The end comes in the same read as a rule: then there is nothing to wait for.
    else if (this.#inspector.endsWithDone(chunk)) process.nextTick(() => this.#endWhenSilent());
  }

  /** Upstream may fall silent behind `[DONE]`: then its idle timeout must not hold up the end of a complete stream. */
  #endWhenSilent(): void {
    if (this.#state !== "relaying" || this.#silenceTimer) return;
    this.#silenceTimer = setTimeout(() => {
      const { bytesOut } = this.#context;
      // A busy event loop runs late timers before it reads what has arrived meanwhile.
      setImmediate(() => {
        if (this.#state !== "relaying" || this.#context.bytesOut !== bytesOut) return;
        // Upstream is silent because it is not read.
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
    // A stream that ends without [DONE] may lack its last usage, however cleanly it ends.
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
    // Nothing is missing from a stream that has said [DONE], whatever its connection came to.
    if (state === "relaying" && this.#inspector.hasDone) return this.onEnd();
    this.#end();
    if (state === "awaiting-id" || state === "draining") return;
    if (state === "awaiting-head") sendError(this.#request, this.#reply, error);
    else this.#abortResponse(error);
  }

  #abortResponse(error: GatewayError): void {
    this.#context.recordError(error);
    this.#context.isIncomplete = true;
    abortResponse(this.#response, this.#inspector.isBetweenEvents ? formatErrorEvent(error) : undefined);
  }

  onRetry(): void {
    this.#context.retries++;
  }

  #pause(): void {
    this.#isPaused = true;
    this.#call?.pause();
    this.#response.once("drain", () => {
      this.#isPaused = false;
      // Node may emit this in the middle of a read from upstream, where undici does not take a resume.
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

  /** Reads as little of a response that nobody receives as it takes to know its cost, now or from a lookup. */
  #readForCost(): void {
    const { headWaitMs } = this.#options;
    const drainBounds = this.#drainBounds;
    const waitMs = Math.max(headWaitMs, drainBounds?.ms ?? 0);
    // A request that was never sent costs nothing.
    if (!this.#call?.wasSent) this.#abortUpstream();
    else if (!this.#isCostKnowable && waitMs > 0)
      this.#readOn("awaiting-id", { ms: waitMs, bytes: Math.max(ID_WITHIN_BYTES, drainBounds?.bytes ?? 0) });
    else if (drainBounds && this.#context.generationId !== undefined) this.#readOn("draining", drainBounds);
    else this.#abortUpstream();
  }

  /** Whether reading on changes nothing: the generation id is known, or it is certain that there is none and no refusal. */
  get #isCostKnowable(): boolean {
    const { generationId, upstreamStatus } = this.#context;
    if (generationId !== undefined) return true;
    return upstreamStatus >= NO_GENERATION_FROM && !this.#inspector.mayBeRefusal;
  }

  #readOn(state: "awaiting-id" | "draining", bounds: DrainBounds): void {
    if (this.#state === state) return;
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
    // Otherwise `onClose` completes it.
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
