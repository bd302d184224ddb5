import type { ServerResponse } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import { GatewayError } from "../errors.ts";
import { answerError } from "../http/answer-error.ts";
import type { Answer, Exchange } from "../http/exchange.ts";
import { addFromUpstream } from "../http/headers.ts";
import { ownHeadersOf } from "../http/own-headers.ts";
import type { UpstreamCall, UpstreamHead, UpstreamSink } from "../upstream/openrouter.ts";
import { readUsage } from "../usage/usage.ts";
import { breakOff, errorEvent } from "./broken-stream.ts";
import { mediaTypeOf, refusalOf } from "./refusal.ts";
import { Tail } from "./tail.ts";

const ERROR_KEY = Buffer.from('"error":{');

export interface RelayOptions {
  /** The gateway's own key was sent: its 401 is the operator's fault, not the caller's. */
  readonly ownsAccount: boolean;
  /** How long a caller may take nothing of an answer that waits for it. */
  readonly clientStallTimeoutMs: number;
}

/**
 * Relays one answer from upstream to one caller: the same bytes, as they come, no faster than the caller reads. It goes
 * from waiting (no head yet) through relaying to over, and is over exactly once, by whichever comes first of upstream's
 * end, upstream's failure, the caller's leaving, and `cut()`.
 */
export class Relay implements UpstreamSink, Answer {
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #response: ServerResponse;
  readonly #exchange: Exchange;
  readonly #options: RelayOptions;
  readonly #tail = new Tail();
  #call: UpstreamCall | undefined = undefined;
  #state: "waiting" | "relaying" | "over" = "waiting";
  #paused = false;
  #eventStream = false;
  /** The body ends with the connection: undici takes even a reset for its clean end. */
  #closeDelimited = false;

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
    const exchange = this.#exchange;
    exchange.works();
    const refusal = refusalOf(head, this.#options.ownsAccount);
    if (refusal) {
      this.cut(refusal);
      return;
    }
    const { headers, status } = head;
    this.#eventStream = mediaTypeOf(head) === "text/event-stream";
    this.#closeDelimited =
      headers["content-length"] === undefined && headers["transfer-encoding"] === undefined;
    const generationId = headers["x-generation-id"];
    if (typeof generationId === "string") exchange.generationId = generationId.slice(0, 128);
    if (status >= 400) exchange.outcome = "upstream_error";
    this.#writeHead(head);
  }

  #writeHead({ status, headers }: UpstreamHead): void {
    const answer = addFromUpstream(ownHeadersOf(this.#reply), headers);
    // nginx would hold back events, and the whitespace that keeps a long call alive.
    answer["x-accel-buffering"] = "no";
    if (this.#eventStream) answer["cache-control"] ??= "no-cache";
    answer["server-timing"] = `gateway;dur=${this.#exchange.ownMs().toFixed(3)}`;
    this.#response.writeHead(status, answer);
    this.#state = "relaying";
    // At once, but in one packet with whatever of the body came in the same read.
    process.nextTick(flushAlone, this.#response, this.#exchange);
  }

  onData(chunk: Buffer): void {
    const exchange = this.#exchange;
    if (exchange.firstByteAt === 0) exchange.firstByteAt = performance.now();
    exchange.bytesOut += chunk.length;
    this.#tail.push(chunk);
    if (!this.#response.write(chunk) && !this.#paused) this.#pause();
  }

  onEnd(): void {
    if (this.#closeDelimited && !this.#endsWhole()) {
      this.onFailure(
        new GatewayError(
          "upstream_disconnected",
          "OpenRouter closed the connection before its answer was complete.",
        ),
      );
      return;
    }
    this.#state = "over";
    const exchange = this.#exchange;
    exchange.incomplete = this.#eventStream && !this.#tail.isDone();
    if (this.#tail.bytes().includes(ERROR_KEY)) exchange.outcome = "upstream_error";
    exchange.outcome ??= "complete";
    const { socket } = this.#response;
    this.#response.end();
    // The rest waits for a caller that may never read it.
    if (socket && socket.writableLength > 0) socket.setTimeout(this.#options.clientStallTimeoutMs);
  }

  onFailure(error: GatewayError): void {
    const before = this.#state;
    if (before === "over") return;
    this.#state = "over";
    if (before === "waiting") {
      answerError(this.#request, this.#reply, error);
      return;
    }
    const exchange = this.#exchange;
    exchange.fail(error);
    exchange.incomplete = true;
    const tellWhy = this.#eventStream && this.#tail.atEventBoundary();
    breakOff(this.#response, tellWhy ? errorEvent(error) : undefined);
  }

  onRetry(): void {
    this.#exchange.retries++;
  }

  #endsWhole(): boolean {
    return this.#eventStream ? this.#tail.isDone() : /[}\]]\s*$/.test(this.#tail.bytes().toString("latin1"));
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

  /** The response has ended or its connection is gone. */
  settle(): void {
    if (this.#state !== "over") {
      this.#state = "over";
      this.#call?.abort();
      this.#exchange.outcome = "client_gone";
    } else if (this.#exchange.outcome === "complete" && !this.#response.writableFinished) {
      this.#exchange.outcome = "client_gone";
    }
    this.#exchange.usage = readUsage(this.#tail.bytes());
  }
}

function flushAlone(response: ServerResponse, exchange: Exchange): void {
  if (exchange.bytesOut === 0 && !response.writableEnded) response.flushHeaders();
}
