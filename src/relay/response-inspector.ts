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

/** How much of a response is searched for its id at once, where its head states none. Every response begins with its id. */
const ID_WITHIN_BYTES = 65_536;
const TEXT_MAX_CHARS = 256;
const LF = 0x0a;
const CR = 0x0d;
const RIGHT_BRACKET = 0x5d;
const GENERATION_ID = /^gen-[\x21-\x7e]{1,124}$/;
const USAGE = new JsonKey("usage");
const ERROR = new JsonKey("error");
const ID = new JsonKey("id");
/** What a response says of itself in its first fields. */
const IDENTITY = ["id", "provider", "model"] as const;

/**
 * Reads a passing response without delaying it: whether it is complete, and what it costs. Only the top level of a whole
 * event or document is the response's own: below it may be JSON of the client's that upstream repeats.
 */
export class ResponseInspector {
  isEventStream = false;
  /** Undefined before the head. */
  #context: RequestContext | undefined = undefined;
  readonly #events = new EventStreamReader(
    (event) => this.#readEvent(event),
    (data) => this.#skipEvent(data),
  );
  readonly #document = new JsonDocumentReader();
  /** How many bytes more of the body are searched for the id; 0: the id is known, or there is none. */
  #idBytesLeft = 0;
  #usage: Usage | undefined = undefined;
  #provider: string | undefined = undefined;
  #model: string | undefined = undefined;
  #hasErrorEvent = false;
  /** Undefined before the head, and if the head rules out that the response is a refusal. */
  #refusal: RefusalReader | undefined = undefined;
  #isCloseDelimited = false;
  /** Only of a document that the connection delimits. */
  #structure: JsonStructure | undefined = undefined;
  #isEncoded = false;

  /** Takes the head of the response, and writes into the context what it says. */
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

  /** Whether the body, once complete, can still prove that upstream refused the request and charged nothing. */
  get mayBeRefusal(): boolean {
    return this.#context === undefined || (this.#refusal?.isPossible ?? false);
  }

  /** Its head has not stated the id by which its cost can be looked up, so the body has to. */
  #lookForId(bytes: number): void {
    if (this.isEventStream) {
      this.#events.scan();
      // A first event that repeats the request can be longer than what is read for its id.
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
    // It may be the event that states the cost.
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

  /** Whether a response that has ended was truncated, although its end looks clean. */
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

  /** Whether a stream has said `[DONE]`, in a whole line. */
  get hasDone(): boolean {
    return this.isEventStream && this.#events.hasDone;
  }

  /**
   * Whether a stream whose last chunk this is has said `[DONE]`, in a whole event, and nothing more. Costs nothing for most
   * chunks: their last character is that of JSON.
   */
  endsWithDone(chunk: Buffer): boolean {
    let at = chunk.length - 1;
    while (at >= 0 && (chunk[at] === LF || chunk[at] === CR)) at--;
    return (at < 0 || chunk[at] === RIGHT_BRACKET) && this.hasDone && this.isBetweenEvents;
  }

  /** Whether a stream is between two events. */
  get isBetweenEvents(): boolean {
    return this.isEventStream && !this.#isEncoded && this.#events.isBetweenEvents;
  }

  /** Whether the response states an error. */
  get hasError(): boolean {
    if (!this.isEventStream) return this.#document.hasError;
    this.#events.scan();
    return this.#hasErrorEvent;
  }

  /** Writes into the context what the response says of itself, once nothing more of it will come. */
  finish(context: RequestContext): void {
    if (this.isEventStream) this.#finishStream(context);
    else this.#finishDocument(context);
    context.usage = this.#usage;
    context.responseModel = this.#model;
    // Documented as a header, and seen in none of the recorded answers.
    context.provider ??= this.#provider;
    context.isUncharged = context.isResponseComplete && (this.#refusal?.isRefusal ?? false);
  }

  #finishStream(context: RequestContext): void {
    // The usage is in the last event: whoever has read [DONE] has all of it, however the connection ends.
    if (this.#events.hasDone) context.isResponseComplete = true;
  }

  #finishDocument(context: RequestContext): void {
    this.#readIdentity(Object.fromEntries(this.#document.readFirstMembers(IDENTITY)));
    // The place of a member is certain only in a document that is complete.
    if (!context.isResponseComplete || !this.#isComplete()) return;
    if (context.generationId === undefined) this.#readIdentity({ id: this.#document.readMember("id") });
    this.#usage = parseUsage(this.#document.readMember("usage"));
  }
}

/** What the beginning of an event says of its response. */
function readMembers(json: Buffer): JsonObject {
  return json.length === 0 ? {} : Object.fromEntries(readFirstMembers(json, IDENTITY));
}

function readShortText(value: unknown): string | undefined {
  return typeof value === "string" && value.length <= TEXT_MAX_CHARS ? value : undefined;
}
