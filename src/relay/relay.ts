import type { ServerResponse } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import { GatewayError } from "../errors.ts";
import { answerError } from "../http/send-error.ts";
import type { Answer, Exchange } from "../http/request-context.ts";
import { addFromUpstream } from "../http/headers.ts";
import { ownHeadersOf } from "../http/default-headers.ts";
import type { UpstreamCall, UpstreamHead, UpstreamSink } from "../upstream/call.ts";
import {
  deadlineExceeded,
  NO_GENERATION_FROM,
  PROOF_WITHIN_BYTES,
  type RelayOptions,
  responseTooLarge,
} from "./bounds.ts";
import { breakOff, errorEvent } from "./abort-response.ts";
import { type ReadOn, ReadOnLimit } from "./drain-limit.ts";
import { Reading } from "./response-inspector.ts";
import { forbidsRetry, refusalOf } from "./response-guard.ts";

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
export class Relay implements UpstreamSink, Answer {
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #response: ServerResponse;
  readonly #exchange: Exchange;
  readonly #options: RelayOptions;
  readonly #reading = new Reading();
  #call: UpstreamCall | undefined = undefined;
  #state: "waiting" | "relaying" | "identifying" | "draining" | "over" = "waiting";
  #paused = false;
  /** Bounds the reading while identifying or draining. */
  #readOnLimit: ReadOnLimit | undefined = undefined;
  #readOn: ReadOn | undefined;
  #deadline: NodeJS.Timeout | undefined = undefined;
  #afterDone: NodeJS.Timeout | undefined = undefined;

  constructor(request: FastifyRequest, reply: FastifyReply, options: RelayOptions) {
    this.#request = request;
    this.#reply = reply;
    this.#response = reply.raw;
    this.#exchange = request.exchange;
    this.#options = options;
    this.#readOn = options.readOn;
  }

  /** Begins; `send` puts the request on its way with this relay as its sink. */
  start(send: (sink: UpstreamSink) => UpstreamCall): void {
    this.#reply.hijack();
    // The client left, or broke its connection's framing, while the request was written to the journal.
    if (this.#exchange.ended || this.#exchange.answering) return;
    // A write that races with the caller's leaving is reported here; `close` follows and says all that matters.
    this.#response.on("error", () => {});
    this.#exchange.answer = this;
    this.#exchange.waitsForOthers();
    this.#call = send(this);
  }

  /** Ends the answer from our side, visibly broken; the upstream request is aborted. */
  cut(error: GatewayError): void {
    this.#call?.abort();
    this.onFailure(error);
  }

  refuse(error: GatewayError): void {
    this.#answerInstead(this.#call?.sent ? error.withoutRetry() : error);
  }

  /** Answers with an error in place of upstream's head; what is still read for the bill is as when the client leaves. */
  #answerInstead(error: GatewayError): void {
    if (this.#state !== "waiting") return;
    answerError(this.#request, this.#reply, error);
    this.#readForBill();
  }

  onSent(): void {
    this.#deadline = setTimeout(exceedDeadline, this.#options.totalTimeoutMs, this);
  }

  /**
   * Ends a response that exceeds a bound: the client receives this error, or a response that is visibly broken. Upstream is
   * aborted as when the client leaves a key that does not drain, so that its cost can be looked up.
   */
  exceed(error: GatewayError): void {
    const state = this.#state;
    this.#readOn = undefined;
    if (state === "waiting") this.#answerInstead(error);
    else if (state === "relaying" && this.#reading.isDone) this.cut(error);
    else if (state === "relaying") {
      this.#breakOff(error);
      this.#readForBill();
    } else if (state === "draining") this.#abandon();
    else if (state === "identifying")
      this.#boundReading({ ms: this.#options.headWaitMs, bytes: PROOF_WITHIN_BYTES });
  }

  onHead(head: UpstreamHead): void {
    if (this.#state === "over") return;
    const exchange = this.#exchange;
    exchange.works();
    this.#reading.begin(head, exchange);
    if (this.#state !== "waiting") return this.#readForBill();
    const refusal = refusalOf(head, this.#options.ownsAccount);
    if (refusal) return this.#answerInstead(refusal);
    if (head.status >= 400) exchange.outcome = "upstream_error";
    this.#writeHead(head);
  }

  #writeHead(head: UpstreamHead): void {
    const { status, headers } = head;
    const answer = addFromUpstream(ownHeadersOf(this.#reply), headers);
    // nginx would hold back events, and the whitespace that keeps a long call alive.
    answer["x-accel-buffering"] = "no";
    if (this.#reading.eventStream) answer["cache-control"] ??= "no-cache";
    if (forbidsRetry(head)) answer["x-should-retry"] = "false";
    answer["server-timing"] = `gateway;dur=${this.#exchange.ownMs().toFixed(3)}`;
    this.#response.writeHead(status, answer);
    this.#state = "relaying";
    // At once, but in one packet with whatever of the body came in the same read.
    process.nextTick(flushAlone, this.#response, this.#exchange);
  }

  onData(chunk: Buffer): void {
    if (this.#state === "over") return;
    const exchange = this.#exchange;
    // Before the chunk is read: the end of the response depends on where the bytes that were written end.
    if (this.#state === "relaying" && exchange.bytesOut + chunk.length > this.#options.responseLimitBytes)
      this.exceed(responseTooLarge());
    this.#reading.push(chunk);
    if (this.#state !== "relaying") {
      if (this.#state === "identifying" && exchange.generationId !== undefined) this.#readForBill();
      // A refusal has a bound of its own.
      else if (!this.#reading.mayBeRefusal) this.#readOnLimit?.count(chunk);
      return;
    }
    if (exchange.firstByteAt === 0) exchange.firstByteAt = performance.now();
    exchange.bytesOut += chunk.length;
    if (!this.#response.write(chunk) && !this.#paused) this.#pause();
    if (this.#afterDone) this.#afterDone.refresh();
    // The end comes in the same read as a rule: then there is nothing to wait for.
    else if (this.#reading.isDoneAfter(chunk)) process.nextTick(() => this.#endWhenSilent());
  }

  /** Upstream may fall silent behind `[DONE]`: then its idle timeout must not hold up the end of a complete stream. */
  #endWhenSilent(): void {
    if (this.#state !== "relaying" || this.#afterDone) return;
    this.#afterDone = setTimeout(() => {
      const { bytesOut } = this.#exchange;
      // A busy event loop runs late timers before it reads what has arrived meanwhile.
      setImmediate(() => {
        if (this.#state !== "relaying" || this.#exchange.bytesOut !== bytesOut) return;
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
    if (this.#reading.cutShort) {
      this.onFailure(
        new GatewayError(
          "upstream_disconnected",
          "OpenRouter closed the connection before its answer was complete.",
        ),
      );
      return;
    }
    const exchange = this.#exchange;
    // A stream that ends without [DONE] may lack its last usage, however cleanly it ends.
    exchange.answeredWhole = !this.#reading.lacksDone;
    if (this.#state !== "relaying") return this.#finish();
    this.#finish();
    exchange.incomplete = this.#reading.lacksDone;
    if (this.#reading.hasError) exchange.outcome = "upstream_error";
    exchange.outcome ??= "complete";
    this.#response.end();
  }

  onFailure(error: GatewayError): void {
    const before = this.#state;
    if (before === "over") return;
    // Nothing is missing from a stream that has said [DONE], whatever its connection came to.
    if (before === "relaying" && this.#reading.isDone) return this.onEnd();
    this.#finish();
    if (before === "identifying" || before === "draining") return;
    if (before === "waiting") answerError(this.#request, this.#reply, error);
    else this.#breakOff(error);
  }

  #breakOff(error: GatewayError): void {
    this.#exchange.fail(error);
    this.#exchange.incomplete = true;
    breakOff(this.#response, this.#reading.isBetweenEvents ? errorEvent(error) : undefined);
  }

  onRetry(): void {
    this.#exchange.retries++;
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

  settle(): void {
    if (this.#state === "waiting" || this.#state === "relaying") {
      this.#exchange.outcome = "client_gone";
      this.#readForBill();
    } else if (this.#state === "over") {
      if (this.#exchange.outcome === "complete" && !this.#response.writableFinished)
        this.#exchange.outcome = "client_gone";
      this.#report();
    }
  }

  /** Nobody receives the answer any more: reads as little of it as it takes to know its cost, now or from a lookup. */
  #readForBill(): void {
    const { headWaitMs } = this.#options;
    const readOn = this.#readOn;
    const waitMs = Math.max(headWaitMs, readOn?.ms ?? 0);
    // A request that was never sent costs nothing.
    if (!this.#call?.sent) this.#abandon();
    else if (!this.#isCostKnowable && waitMs > 0)
      this.#read("identifying", { ms: waitMs, bytes: Math.max(PROOF_WITHIN_BYTES, readOn?.bytes ?? 0) });
    else if (readOn && this.#exchange.generationId !== undefined) this.#read("draining", readOn);
    else this.#abandon();
  }

  /** Whether reading on changes nothing: the generation id is known, or it is certain that there is none and no refusal. */
  get #isCostKnowable(): boolean {
    const { generationId, upstreamStatus } = this.#exchange;
    if (generationId !== undefined) return true;
    return upstreamStatus >= NO_GENERATION_FROM && !this.#reading.mayBeRefusal;
  }

  #read(state: "identifying" | "draining", bounds: ReadOn): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#boundReading(bounds);
    this.#call?.resume();
  }

  #boundReading(bounds: ReadOn): void {
    this.#readOnLimit?.end();
    this.#readOnLimit = new ReadOnLimit(bounds, () => this.#abandon());
  }

  #abandon(): void {
    this.#call?.abort();
    this.#finish();
  }

  #finish(): void {
    this.#state = "over";
    clearTimeout(this.#deadline);
    this.#readOnLimit?.end();
    // Otherwise `settle` reports it, when the response is closed.
    if (this.#exchange.ended) this.#report();
  }

  #report(): void {
    this.#exchange.sent = this.#call?.sent ?? false;
    this.#reading.conclude(this.#exchange);
    this.#exchange.finish();
  }
}

function exceedDeadline(relay: Relay): void {
  relay.exceed(deadlineExceeded());
}

function flushAlone(response: ServerResponse, exchange: Exchange): void {
  if (exchange.bytesOut === 0 && !response.writableEnded) response.flushHeaders();
}
