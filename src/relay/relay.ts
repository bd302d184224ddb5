import type { ServerResponse } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import { GatewayError } from "../errors.ts";
import { answerError } from "../http/answer-error.ts";
import type { Answer, Exchange } from "../http/exchange.ts";
import { addFromUpstream } from "../http/headers.ts";
import { ownHeadersOf } from "../http/own-headers.ts";
import type { UpstreamCall, UpstreamHead, UpstreamSink } from "../upstream/call.ts";
import { breakOff, errorEvent } from "./broken-stream.ts";
import { type ReadOn, ReadOnLimit } from "./read-on.ts";
import { Reading } from "./reading.ts";
import { refusalOf } from "./refusal.ts";

/** How long upstream may be silent behind `[DONE]` before the answer is ended. */
const AFTER_DONE_MS = 1_000;

export interface RelayOptions {
  /** The gateway's own key was sent: its 401 is the operator's fault, not the caller's. */
  readonly ownsAccount: boolean;
  /** How long a caller may take nothing of an answer that waits for it. */
  readonly clientStallTimeoutMs: number;
  /** What is read on, for the bill, of an answer whose caller has left; undefined aborts it at once. */
  readonly readOn: ReadOn | undefined;
}

/**
 * Relays one answer from upstream to one caller: the same bytes, as they come, no faster than the caller reads. It goes
 * from waiting (no head yet) through relaying to over, and is over exactly once, by whichever comes first of upstream's
 * end, upstream's failure, the caller's leaving, and `cut()`. Where a caller's leaving is not the end, what is left of the
 * answer is drained: read for the bill, and given to nobody.
 */
export class Relay implements UpstreamSink, Answer {
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #response: ServerResponse;
  readonly #exchange: Exchange;
  readonly #options: RelayOptions;
  readonly #reading = new Reading();
  #call: UpstreamCall | undefined = undefined;
  #state: "waiting" | "relaying" | "draining" | "over" = "waiting";
  #paused = false;
  #readOnLimit: ReadOnLimit | undefined = undefined;
  #afterDone: NodeJS.Timeout | undefined = undefined;

  constructor(request: FastifyRequest, reply: FastifyReply, options: RelayOptions) {
    this.#request = request;
    this.#reply = reply;
    this.#response = reply.raw;
    this.#exchange = request.exchange;
    this.#options = options;
  }

  /** Begins; `send` puts the request on its way with this relay as its sink. */
  start(send: (sink: UpstreamSink) => UpstreamCall): void {
    this.#reply.hijack();
    if (this.#exchange.ended) return;
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

  onHead(head: UpstreamHead): void {
    if (this.#state === "over") return;
    const exchange = this.#exchange;
    exchange.works();
    this.#reading.begin(head, exchange);
    if (this.#state === "draining") return;
    const refusal = refusalOf(head, this.#options.ownsAccount);
    if (refusal) return this.cut(refusal);
    if (head.status >= 400) exchange.outcome = "upstream_error";
    this.#writeHead(head);
  }

  #writeHead({ status, headers }: UpstreamHead): void {
    const answer = addFromUpstream(ownHeadersOf(this.#reply), headers);
    // nginx would hold back events, and the whitespace that keeps a long call alive.
    answer["x-accel-buffering"] = "no";
    if (this.#reading.eventStream) answer["cache-control"] ??= "no-cache";
    answer["server-timing"] = `gateway;dur=${this.#exchange.ownMs().toFixed(3)}`;
    this.#response.writeHead(status, answer);
    this.#state = "relaying";
    // At once, but in one packet with whatever of the body came in the same read.
    process.nextTick(flushAlone, this.#response, this.#exchange);
  }

  onData(chunk: Buffer): void {
    if (this.#state === "over") return;
    this.#reading.push(chunk);
    if (this.#state === "draining") {
      this.#readOnLimit?.count(chunk);
      return;
    }
    const exchange = this.#exchange;
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
      if (this.#state !== "relaying") return;
      this.#call?.abort();
      this.onEnd();
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
    exchange.answeredWhole = true;
    if (this.#state === "draining") return this.#conclude();
    this.#state = "over";
    exchange.incomplete = this.#reading.lacksDone;
    if (this.#reading.hasError) exchange.outcome = "upstream_error";
    exchange.outcome ??= "complete";
    const { socket } = this.#response;
    this.#response.end();
    // The rest waits for a caller that may never read it.
    if (socket && socket.writableLength > 0) socket.setTimeout(this.#options.clientStallTimeoutMs);
  }

  onFailure(error: GatewayError): void {
    const before = this.#state;
    if (before === "over") return;
    if (before === "draining") return this.#conclude();
    // Nothing is missing from a stream that has said [DONE], whatever its connection came to.
    if (before === "relaying" && this.#reading.isDone) return this.onEnd();
    this.#state = "over";
    if (before === "waiting") {
      answerError(this.#request, this.#reply, error);
      return;
    }
    const exchange = this.#exchange;
    exchange.fail(error);
    exchange.incomplete = true;
    breakOff(this.#response, this.#reading.isBetweenEvents ? errorEvent(error) : undefined);
  }

  onRetry(): void {
    this.#exchange.retries++;
  }

  #pause(): void {
    const socket = this.#response.socket;
    this.#paused = true;
    this.#call?.pause();
    // Counts only while nothing at all moves; then Node destroys the connection, as of a caller that is gone.
    socket?.setTimeout(this.#options.clientStallTimeoutMs);
    this.#response.once("drain", () => {
      socket?.setTimeout(0);
      this.#paused = false;
      // Node may tell of it in the middle of a read from upstream, where undici does not take a resume.
      process.nextTick(() => this.#call?.resume());
    });
  }

  settle(): void {
    if (this.#state !== "over") {
      this.#exchange.outcome = "client_gone";
      // What was never sent costs nothing, so there is nothing to read on for.
      if (this.#options.readOn && this.#call?.sent) this.#drain(this.#options.readOn);
      else this.#abandon();
      return;
    }
    if (this.#exchange.outcome === "complete" && !this.#response.writableFinished)
      this.#exchange.outcome = "client_gone";
    this.#conclude();
  }

  #drain(readOn: ReadOn): void {
    this.#state = "draining";
    this.#readOnLimit = new ReadOnLimit(readOn, () => this.#abandon());
    this.#call?.resume();
  }

  #abandon(): void {
    this.#call?.abort();
    this.#conclude();
  }

  #conclude(): void {
    this.#state = "over";
    this.#readOnLimit?.end();
    this.#exchange.sent = this.#call?.sent ?? false;
    this.#reading.conclude(this.#exchange);
    this.#exchange.finish();
  }
}

function flushAlone(response: ServerResponse, exchange: Exchange): void {
  if (exchange.bytesOut === 0 && !response.writableEnded) response.flushHeaders();
}
