import type { RequestContext, Usage } from "../http/request-context.ts";
import type { UpstreamHead } from "../upstream/response-head.ts";
import { EventStreamReader, JsonKey } from "../response/event-stream.ts";
import { JsonDocumentReader } from "../response/json-document.ts";
import { JsonStructure } from "../response/json-structure.ts";
import { mayBeRefusal, RefusalReader } from "../response/refusal-body.ts";
import { readFirstMembers } from "../response/top-level-members.ts";
import { parseUsage } from "../metering/usage.ts";
import { noteHead } from "./head-recorder.ts";
import type { JsonObject } from "../json-values.ts";

/**
 * Maximum number of body bytes to search for the generation id, as they arrive, if the head has none. Every body begins with
 * the id.
 */
const ID_WITHIN_BYTES = 65_536;
const TEXT_MAX_CHARS = 256;
const LF = 0x0a;
const CR = 0x0d;
const RIGHT_BRACKET = 0x5d;
const GENERATION_ID = /^gen-[\x21-\x7e]{1,124}$/;
const USAGE = new JsonKey("usage");
const ERROR = new JsonKey("error");
const ID = new JsonKey("id");
/** Fields that identify a response. They are the first fields of a document or an event. */
const IDENTITY = ["id", "provider", "model"] as const;

/**
 * Finds out whether a response is complete, its cost, and its generation id, while the gateway relays the response without
 * delay. The inspector reads only the top level of events and documents, because nested JSON may repeat the client's request.
 */
export class ResponseInspector {
  isEventStream = false;
  /** Undefined before the head arrives. */
  #context: RequestContext | undefined = undefined;
  readonly #events = new EventStreamReader(
    (event) => this.#readEvent(event),
    (data) => this.#skipEvent(data),
  );
  readonly #document = new JsonDocumentReader();
  /** Bytes of the body that are still to be searched for the id; 0 if the id is known, or if there is none. */
  #idBytesLeft = 0;
  #usage: Usage | undefined = undefined;
  #provider: string | undefined = undefined;
  #model: string | undefined = undefined;
  #hasErrorEvent = false;
  /** Undefined before the head arrives, and if the head rules out a refusal. */
  #refusal: RefusalReader | undefined = undefined;
  #isCloseDelimited = false;
  /** Set only for a document that ends when the connection closes. */
  #structure: JsonStructure | undefined = undefined;
  #isEncoded = false;

  /** Reads the head of the response, and copies its fields to the context. */
  onHead(head: UpstreamHead, context: RequestContext): void {
    const { status, mediaType, generationId, isCloseDelimited, isEncoded } = head;
    noteHead(context, head);
    this.#context = context;
    this.isEventStream = mediaType === "text/event-stream";
    this.#isCloseDelimited = isCloseDelimited;
    this.#isEncoded = isEncoded;
    if (mayBeRefusal(status, mediaType)) this.#refusal = new RefusalReader();
    if (isCloseDelimited && !this.isEventStream) this.#structure = new JsonStructure();
    this.#events.wantedKeys = [USAGE, ERROR, ID];
    if (generationId === undefined && status < 300) this.#idBytesLeft = ID_WITHIN_BYTES;
  }

  push(chunk: Buffer): void {
    if (this.#isEncoded) return;
    if (this.isEventStream) this.#events.push(chunk);
    else this.#document.push(chunk);
    if (this.#idBytesLeft > 0) this.#lookForId(chunk.length);
    this.#refusal?.push(chunk);
    this.#structure?.push(chunk);
  }

  /** Whether the response can still turn out to be a refusal, for which nothing was charged. */
  get mayBeRefusal(): boolean {
    return this.#context === undefined || (this.#refusal?.isPossible ?? false);
  }

  /** Searches the body for the generation id, which the head does not have. */
  #lookForId(bytes: number): void {
    if (this.isEventStream) {
      this.#events.scan();
      // The first event may be longer than ID_WITHIN_BYTES if it repeats the request, so this reads its first fields early.
      if (this.#idBytesLeft > 0) this.#readIdentity(readMembers(this.#events.incompleteEventData));
    } else this.#readIdentity(Object.fromEntries(this.#document.readFirstMembers(IDENTITY)));
    this.#idBytesLeft -= bytes;
  }

  #readEvent(event: JsonObject): void {
    this.#readIdentity(event);
    this.#usage = parseUsage(event["usage"]) ?? this.#usage;
    this.#hasErrorEvent ||= (event["error"] ?? null) !== null;
  }

  #skipEvent(data: Buffer): void {
    // The skipped event may be the one that states the cost.
    this.#usage = undefined;
    if (this.#idBytesLeft > 0) this.#readIdentity(readMembers(data));
  }

  #readIdentity({ id, provider, model }: JsonObject): void {
    this.#provider = readShortText(provider) ?? this.#provider;
    this.#model = readShortText(model) ?? this.#model;
    const context = this.#context;
    if (typeof id !== "string" || !context) return;
    const isKnown = context.generationId !== undefined;
    if (!isKnown && !GENERATION_ID.test(id)) return;
    this.#events.wantedKeys = [USAGE, ERROR];
    this.#idBytesLeft = 0;
    if (isKnown) return;
    context.generationId = id;
    context.meter?.recordGenerationId(context);
  }

  /** Whether a response was truncated although undici reported a normal end of its connection. */
  get isTruncated(): boolean {
    return this.#isCloseDelimited && !this.#isEncoded && !this.#isComplete();
  }

  #isComplete(): boolean {
    return this.isEventStream
      ? this.#events.hasDoneAtEnd
      : (this.#document.isValid ?? this.#structure?.isComplete ?? true);
  }

  /** Whether a stream has ended without `[DONE]`. */
  get isMissingDone(): boolean {
    return this.isEventStream && !this.#isEncoded && !this.#events.hasDoneAtEnd;
  }

  /** Whether a stream has sent a complete line with `[DONE]`. */
  get hasDone(): boolean {
    return this.isEventStream && this.#events.hasDone;
  }

  /**
   * Whether the stream so far ends with a complete `[DONE]` event. This is cheap for most chunks, because they do not end
   * with a bracket.
   * @param chunk the last chunk of the stream so far.
   */
  endsWithDone(chunk: Buffer): boolean {
    let at = chunk.length - 1;
    while (at >= 0 && (chunk[at] === LF || chunk[at] === CR)) at--;
    return (at < 0 || chunk[at] === RIGHT_BRACKET) && this.hasDone && this.isBetweenEvents;
  }

  /** Whether a stream is at an event boundary. */
  get isBetweenEvents(): boolean {
    return this.isEventStream && !this.#isEncoded && this.#events.isBetweenEvents;
  }

  /** Whether the response states an error. */
  get hasError(): boolean {
    if (!this.isEventStream) return this.#document.hasError;
    this.#events.scan();
    return this.#hasErrorEvent;
  }

  /** Copies the usage, model and provider of the response to the context. Called when the relay stops reading. */
  finish(context: RequestContext): void {
    if (this.isEventStream) this.#finishStream(context);
    else this.#finishDocument(context);
    context.usage = this.#usage;
    context.responseModel = this.#model;
    // OpenRouter documents a header for the provider, but no recorded response has it.
    context.provider ??= this.#provider;
    context.isUncharged = context.isResponseComplete && (this.#refusal?.isRefusal ?? false);
  }

  #finishStream(context: RequestContext): void {
    // The usage is in the last event before [DONE], so the stream is complete even if the connection fails afterwards.
    if (this.#events.hasDone) context.isResponseComplete = true;
  }

  #finishDocument(context: RequestContext): void {
    this.#readIdentity(Object.fromEntries(this.#document.readFirstMembers(IDENTITY)));
    // In an incomplete document, a member near the end may be a nested one.
    if (!context.isResponseComplete || !this.#isComplete()) return;
    if (context.generationId === undefined) this.#readIdentity({ id: this.#document.readMember("id") });
    this.#usage = parseUsage(this.#document.readMember("usage"));
  }
}

/** Reads the identifying fields at the beginning of an event. */
function readMembers(json: Buffer): JsonObject {
  return json.length === 0 ? {} : Object.fromEntries(readFirstMembers(json, IDENTITY));
}

function readShortText(value: unknown): string | undefined {
  return typeof value === "string" && value.length <= TEXT_MAX_CHARS ? value : undefined;
}
