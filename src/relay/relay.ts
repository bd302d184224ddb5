import type { ServerResponse } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import { GatewayError } from "../errors.ts";
import { sendError } from "../http/send-error.ts";
import type { ActiveResponse, RequestContext } from "../http/request-context.ts";
import { addUpstreamHeaders } from "../http/headers.ts";
import { getDefaultHeaders } from "../http/default-headers.ts";
import type { UpstreamCall, UpstreamSink } from "../upstream/call.ts";
import type { UpstreamHead } from "../upstream/response-head.ts";
import { NO_GENERATION_FROM, PROOF_WITHIN_BYTES, type RelayOptions } from "./bounds.ts";
import { abortResponse, formatErrorEvent } from "./abort-response.ts";
import { type DrainBounds, DrainLimit } from "./drain-limit.ts";
import { ResponseInspector } from "./response-inspector.ts";
import { forbidsRetry, checkResponseHead } from "./response-guard.ts";

/** How long upstream may be silent behind `[DONE]` before the answer is ended. */
const AFTER_DONE_MS = 1_000;

/**
 * Relays one answer from upstream to one client: the same bytes, as they arrive, no faster than the client reads. Its states:
 *
 * - `waiting`: upstream's head has not arrived. Next: relaying, or over with an error of the gateway's own.
 * - `relaying`: head and body are passed on. Next: over, at upstream's end, its failure or `cut()`; or, when the response
 *   exceeds the total timeout or the size limit, as when the client leaves.
 * - `identifying`: nobody receives the answer any more, and neither the generation id, by which its cost can be looked up, is
 *   known, nor that upstream refused the request. Upstream is read until one of them is, and no further than `headWaitMs` and
 *   {@link PROOF_WITHIN_BYTES}.
 * - `draining`: the client left and the id is known; for some keys the rest is read, because its end states the cost.
 * - `over`: nothing more is read from upstream. The request is reported once its response is closed as well.
 */
export class Relay implements UpstreamSink, ActiveResponse {
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #response: ServerResponse;
  readonly #context: RequestContext;
  readonly #options: RelayOptions;
  readonly #inspector = new ResponseInspector();
  #call: UpstreamCall | undefined = undefined;
  #state: "waiting" | "relaying" | "identifying" | "draining" | "over" = "waiting";
  #paused = false;
  /** Bounds the reading while identifying or draining. */
  #drainLimit: DrainLimit | undefined = undefined;
  #drainBounds: DrainBounds | undefined;
  #deadline: NodeJS.Timeout | undefined = undefined;
  #afterDone: NodeJS.Timeout | undefined = undefined;

  constructor(request: FastifyRequest, reply: FastifyReply, options: RelayOptions) {
    this.#request = request;
    this.#reply = reply;
    this.#response = reply.raw;
    this.#context = request.context;
    this.#options = options;
    this.#drainBounds = options.drainBounds;
  }

  /** Begins; `send` puts the request on its way with this relay as its sink. */
  start(send: (sink: UpstreamSink) => UpstreamCall): void {
    this.#reply.hijack();
    // The client left, or broke its connection's framing, while the request was written to the journal.
    if (this.#context.hasEnded || this.#context.headersSent) return;
    // A write that races with the caller's leaving is reported here; `close` follows and says all that matters.
    this.#response.on("error", () => {});
    this.#context.activeResponse = this;
    this.#context.stopwatch.pause();
    this.#call = send(this);
  }

  /** Ends the answer from our side, visibly broken; the upstream request is aborted. */
  abort(error: GatewayError): void {
    this.#call?.abort();
    this.onFailure(error);
  }

  respondWithError(error: GatewayError): void {
    this.#answerInstead(this.#call?.wasSent ? error.withoutRetry() : error);
  }

  /** Answers with an error in place of upstream's head; what is still read for the bill is as when the client leaves. */
  #answerInstead(error: GatewayError): void {
    if (this.#state !== "waiting") return;
    sendError(this.#request, this.#reply, error);
    this.#readForBill();
  }

  onSent(): void {
    this.#deadline = setTimeout(exceedDeadline, this.#options.totalTimeoutMs, this);
  }

  /**
   * Ends a response that exceeds a bound: the client receives this error, or a response that is visibly broken. Upstream is
   * aborted as when the client leaves a key that does not drain, so that its cost can be looked up.
   */
  endAtLimit(error: GatewayError): void {
    const state = this.#state;
    this.#drainBounds = undefined;
    if (state === "waiting") this.#answerInstead(error);
    else if (state === "relaying" && this.#inspector.hasDone) this.abort(error);
    else if (state === "relaying") {
      this.#breakOff(error);
      this.#readForBill();
    } else if (state === "draining") this.#abandon();
    else if (state === "identifying")
      this.#boundReading({ ms: this.#options.headWaitMs, bytes: PROOF_WITHIN_BYTES });
  }

  onHead(head: UpstreamHead): void {
    if (this.#state === "over") return;
    const context = this.#context;
    context.stopwatch.resume();
    this.#inspector.onHead(head, context);
    if (this.#state !== "waiting") return this.#readForBill();
    const refusal = checkResponseHead(head, this.#options.usesOperatorKey);
    if (refusal) return this.#answerInstead(refusal);
    if (head.status >= 400) context.outcome = "upstream_error";
    this.#writeHead(head);
  }

  #writeHead(head: UpstreamHead): void {
    const { status, headers } = head;
    const answer = addUpstreamHeaders(getDefaultHeaders(this.#reply), headers);
    // nginx would hold back events, and the whitespace that keeps a long call alive.
    answer["x-accel-buffering"] = "no";
    if (this.#inspector.isEventStream) answer["cache-control"] ??= "no-cache";
    if (forbidsRetry(head)) answer["x-should-retry"] = "false";
    answer["server-timing"] = `gateway;dur=${this.#context.stopwatch.elapsedMs.toFixed(3)}`;
    this.#response.writeHead(status, answer);
    this.#state = "relaying";
    // At once, but in one packet with whatever of the body came in the same read.
    process.nextTick(flushAlone, this.#response, this.#context);
  }

  onData(chunk: Buffer): void {
    if (this.#state === "over") return;
    const context = this.#context;
    // Before the chunk is read: the end of the response depends on where the bytes that were written end.
    if (this.#state === "relaying" && context.bytesOut + chunk.length > this.#options.responseLimitBytes)
      this.endAtLimit(new GatewayError("response_too_large"));
    this.#inspector.push(chunk);
    if (this.#state !== "relaying") {
      if (this.#state === "identifying" && context.generationId !== undefined) this.#readForBill();
      // A refusal has a bound of its own.
      else if (!this.#inspector.mayBeRefusal) this.#drainLimit?.count(chunk);
      return;
    }
    if (context.firstByteAt === 0) context.firstByteAt = performance.now();
    context.bytesOut += chunk.length;
    if (!this.#response.write(chunk) && !this.#paused) this.#pause();
    if (this.#afterDone) this.#afterDone.refresh();
    // The end comes in the same read as a rule: then there is nothing to wait for.
    else if (this.#inspector.endsWithDone(chunk)) process.nextTick(() => this.#endWhenSilent());
  }

  /** Upstream may fall silent behind `[DONE]`: then its idle timeout must not hold up the end of a complete stream. */
  #endWhenSilent(): void {
    if (this.#state !== "relaying" || this.#afterDone) return;
    this.#afterDone = setTimeout(() => {
      const { bytesOut } = this.#context;
      // A busy event loop runs late timers before it reads what has arrived meanwhile.
      setImmediate(() => {
        if (this.#state !== "relaying" || this.#context.bytesOut !== bytesOut) return;
        // Upstream is silent because it is not read.
        if (this.#paused) {
          this.#afterDone?.refresh();
          return;
        }
        this.#call?.abort();
        this.onEnd();
      });
    }, AFTER_DONE_MS).unref();
  }

  onEnd(): void {
    if (this.#state === "over") return;
    if (this.#inspector.isTruncated) {
      this.onFailure(new GatewayError("upstream_disconnected"));
      return;
    }
    const context = this.#context;
    // A stream that ends without [DONE] may lack its last usage, however cleanly it ends.
    context.isResponseComplete = !this.#inspector.isMissingDone;
    if (this.#state !== "relaying") return this.#finish();
    this.#finish();
    context.isIncomplete = this.#inspector.isMissingDone;
    if (this.#inspector.hasError) context.outcome = "upstream_error";
    context.outcome ??= "complete";
    this.#response.end();
  }

  onFailure(error: GatewayError): void {
    const before = this.#state;
    if (before === "over") return;
    // Nothing is missing from a stream that has said [DONE], whatever its connection came to.
    if (before === "relaying" && this.#inspector.hasDone) return this.onEnd();
    this.#finish();
    if (before === "identifying" || before === "draining") return;
    if (before === "waiting") sendError(this.#request, this.#reply, error);
    else this.#breakOff(error);
  }

  #breakOff(error: GatewayError): void {
    this.#context.recordError(error);
    this.#context.isIncomplete = true;
    abortResponse(this.#response, this.#inspector.isBetweenEvents ? formatErrorEvent(error) : undefined);
  }

  onRetry(): void {
    this.#context.retries++;
  }

  #pause(): void {
    this.#paused = true;
    this.#call?.pause();
    this.#response.once("drain", () => {
      this.#paused = false;
      // Node may tell of it in the middle of a read from upstream, where undici does not take a resume.
      process.nextTick(() => this.#call?.resume());
    });
  }

  onClose(): void {
    if (this.#state === "waiting" || this.#state === "relaying") {
      this.#context.outcome = "client_gone";
      this.#readForBill();
    } else if (this.#state === "over") {
      if (this.#context.outcome === "complete" && !this.#response.writableFinished)
        this.#context.outcome = "client_gone";
      this.#report();
    }
  }

  /** Nobody receives the answer any more: reads as little of it as it takes to know its cost, now or from a lookup. */
  #readForBill(): void {
    const { headWaitMs } = this.#options;
    const drainBounds = this.#drainBounds;
    const waitMs = Math.max(headWaitMs, drainBounds?.ms ?? 0);
    // A request that was never sent costs nothing.
    if (!this.#call?.wasSent) this.#abandon();
    else if (!this.#isCostKnowable && waitMs > 0)
      this.#read("identifying", { ms: waitMs, bytes: Math.max(PROOF_WITHIN_BYTES, drainBounds?.bytes ?? 0) });
    else if (drainBounds && this.#context.generationId !== undefined) this.#read("draining", drainBounds);
    else this.#abandon();
  }

  /** Whether reading on changes nothing: the generation id is known, or it is certain that there is none and no refusal. */
  get #isCostKnowable(): boolean {
    const { generationId, upstreamStatus } = this.#context;
    if (generationId !== undefined) return true;
    return upstreamStatus >= NO_GENERATION_FROM && !this.#inspector.mayBeRefusal;
  }

  #read(state: "identifying" | "draining", bounds: DrainBounds): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#boundReading(bounds);
    this.#call?.resume();
  }

  #boundReading(bounds: DrainBounds): void {
    this.#drainLimit?.end();
    this.#drainLimit = new DrainLimit(bounds, () => this.#abandon());
  }

  #abandon(): void {
    this.#call?.abort();
    this.#finish();
  }

  #finish(): void {
    this.#state = "over";
    clearTimeout(this.#deadline);
    this.#drainLimit?.end();
    // Otherwise `settle` reports it, when the response is closed.
    if (this.#context.hasEnded) this.#report();
  }

  #report(): void {
    this.#context.wasSent = this.#call?.wasSent ?? false;
    this.#inspector.finish(this.#context);
    this.#context.complete();
  }
}

function exceedDeadline(relay: Relay): void {
  relay.endAtLimit(new GatewayError("deadline_exceeded"));
}

function flushAlone(response: ServerResponse, context: RequestContext): void {
  if (context.bytesOut === 0 && !response.writableEnded) response.flushHeaders();
}
