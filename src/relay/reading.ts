import type { Exchange } from "../http/exchange.ts";
import { generationIdOf, providerOf } from "../upstream/answer-head.ts";
import type { UpstreamHead } from "../upstream/call.ts";
import { readAnsweredField } from "../usage/answered-field.ts";
import { isRefusal, mayBeRefusal, REFUSAL_MAX_BYTES } from "../usage/refusal-body.ts";
import { readUsage } from "../usage/usage.ts";
import { mediaTypeOf } from "./refusal.ts";
import { Tail } from "./tail.ts";

const ERROR_KEY = Buffer.from('"error":{');
const SPACE = 0x20;
/** Where a JSON answer says which model and provider it is from: in its first fields, after whitespace that keeps the call alive. */
const BEGINNING_BYTES = 1_024;

/** What is read of a passing answer: whether it came to its end, and for the bill. It holds no byte up. */
export class Reading {
  readonly tail = new Tail();
  #beginning: Buffer[] = [];
  #beginningBytes = 0;
  eventStream = false;
  #mediaType = "";
  /** The body of what may be a refusal; undefined: it cannot be one, or is too long to be parsed. */
  #refusal: Buffer[] | undefined = undefined;
  #refusalBytes = 0;
  /** The body ends with the connection: undici takes even a reset for its clean end. */
  #closeDelimited = false;

  /** Reads the head of upstream's answer. */
  begin(head: UpstreamHead, exchange: Exchange): void {
    const { headers, status } = head;
    this.#mediaType = mediaTypeOf(head);
    this.eventStream = this.#mediaType === "text/event-stream";
    if (mayBeRefusal(status, this.#mediaType)) this.#refusal = [];
    this.#closeDelimited =
      headers["content-length"] === undefined && headers["transfer-encoding"] === undefined;
    exchange.upstreamStatus = status;
    exchange.provider = providerOf(head);
    exchange.generationId = generationIdOf(head);
  }

  push(chunk: Buffer): void {
    this.tail.push(chunk);
    if (!this.eventStream && this.#beginningBytes < BEGINNING_BYTES) this.#keepBeginning(chunk);
    if (this.#refusal) this.#keepRefusal(chunk);
  }

  /** Whether the body, once complete, can still prove that upstream refused the request and charged nothing. */
  get mayBeRefusal(): boolean {
    return this.#refusal !== undefined;
  }

  #keepRefusal(chunk: Buffer): void {
    this.#refusal?.push(chunk);
    this.#refusalBytes += chunk.length;
    if (this.#refusalBytes > REFUSAL_MAX_BYTES) this.#refusal = undefined;
  }

  #keepBeginning(chunk: Buffer): void {
    const start = this.#beginningBytes === 0 ? chunk.findIndex((byte) => byte > SPACE) : 0;
    if (start === -1) return;
    // The same bytes, however the answer came in pieces.
    const kept = chunk.subarray(start, start + BEGINNING_BYTES - this.#beginningBytes);
    this.#beginning.push(kept);
    this.#beginningBytes += kept.length;
  }

  /** Whether an answer that has ended was cut short by an end that looks clean. */
  get cutShort(): boolean {
    return this.#closeDelimited && !this.#endsWhole();
  }

  /** An error stands in the last part of the answer. */
  get hasError(): boolean {
    return this.tail.bytes().includes(ERROR_KEY);
  }

  /** Writes into the record what the answer says of itself, once nothing more of it will come. */
  conclude(exchange: Exchange): void {
    const tail = this.tail.bytes();
    exchange.usage = readUsage(tail);
    const which = this.eventStream ? "last" : "first";
    const named = this.eventStream ? tail : Buffer.concat(this.#beginning);
    exchange.modelAnswered = readAnsweredField(named, "model", which);
    // Documented as a header, and seen in none of the recorded answers.
    exchange.provider ??= readAnsweredField(named, "provider", which);
    // The bill is in the last event: whoever has read [DONE] has all of it, however the connection ends.
    if (this.eventStream && this.tail.isDone()) exchange.answeredWhole = true;
    if (this.#refusal && exchange.answeredWhole) {
      const body = Buffer.concat(this.#refusal);
      exchange.refusedByUpstream = isRefusal(exchange.upstreamStatus, this.#mediaType, body);
    }
  }

  #endsWhole(): boolean {
    return this.eventStream ? this.tail.isDone() : /[}\]]\s*$/.test(this.tail.bytes().toString("latin1"));
  }
}
