import type { RequestContext } from "../http/request-context.ts";
import type { UpstreamHead } from "../upstream/response-head.ts";
import { EventStreamReader, JsonKey } from "../response/event-stream.ts";
import { JsonDocumentReader } from "../response/json-document.ts";
import { JsonStructure } from "../response/json-structure.ts";
import { mayBeRefusal, RefusalReader } from "../response/refusal-body.ts";
import { findMemberStart, readFirstMembers } from "../response/top-level-members.ts";
import { noteHead } from "./head-recorder.ts";
import type { ResponseFormat } from "./response-format.ts";
import { isJsonObject, type JsonObject, readFields } from "../json-values.ts";

/**
 * Maximum number of body bytes to search for the generation id, as they arrive, if the head has none. Every stream begins with
 * the id. Documents of conversations do too, but embeddings and rankings end with it.
 */
const ID_WITHIN_BYTES = 65_536;
const TEXT_MAX_CHARS = 256;
/** A response with this status or a higher one has no generation. */
const NO_GENERATION_FROM = 300;
const LF = 0x0a;
const CR = 0x0d;
const GENERATION_ID = /^gen-[\x21-\x7e]{1,124}$/;
const ID = new JsonKey("id");
/** Fields that identify a response. They are the first fields of a document or an event. */
const IDENTITY = ["id", "provider", "model"] as const;

/**
 * Finds out whether a response is complete, its cost, and its generation id, while the gateway relays the response without
 * delay. The inspector reads only the top level of events and documents, because nested JSON may repeat the client's request.
 */
export class ResponseInspector {
  isEventStream = false;
  #isDocument = false;
  /** Undefined before the head arrives. */
  #context: RequestContext | undefined = undefined;
  readonly #format: ResponseFormat;
  readonly #events = new EventStreamReader({
    onEvent: (event) => this.#readEvent(event),
    // The unreadable event may be the one that states the cost.
    onUnreadable: () => (this.#usage = undefined),
    onLongEvent: (start) => this.#idBytesLeft > 0 && this.#readIdentity(this.#readMembers(start)),
  });
  readonly #document = new JsonDocumentReader();
  /** Bytes of the body that are still to be searched for the id; 0 if the id is known, or if there is none. */
  #idBytesLeft = 0;
  /** The usage objects of events, combined. */
  #usage: JsonObject | undefined = undefined;
  #provider: string | undefined = undefined;
  #model: string | undefined = undefined;
  #hasErrorEvent = false;
  #hasLastEvent = false;
  /** Undefined before the head arrives, and if the head rules out a refusal. */
  #refusal: RefusalReader | undefined = undefined;
  #isCloseDelimited = false;
  /** Set only for a document that ends when the connection closes. */
  #structure: JsonStructure | undefined = undefined;
  #isEncoded = false;

  constructor(format: ResponseFormat) {
    this.#format = format;
  }

  /** Reads the head of the response, and copies its fields to the context. */
  onHead(head: UpstreamHead, context: RequestContext): void {
    const { status, mediaType, generationId, isCloseDelimited, isEncoded } = head;
    noteHead(context, head);
    this.#context = context;
    this.isEventStream = mediaType === "text/event-stream";
    this.#isDocument = mediaType === "application/json" && status < NO_GENERATION_FROM;
    this.#isCloseDelimited = isCloseDelimited;
    this.#isEncoded = isEncoded;
    if (mayBeRefusal(status, mediaType)) this.#refusal = new RefusalReader();
    if (isCloseDelimited && !this.isEventStream) this.#structure = new JsonStructure();
    this.#events.wantedKeys = [...this.#format.eventKeys, ID];
    if (generationId === undefined && status < NO_GENERATION_FROM) this.#idBytesLeft = ID_WITHIN_BYTES;
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

  /** Whether the generation id is known, or it is certain that the response has none and is not a refusal. */
  isCostKnowable({ generationId, upstreamStatus }: RequestContext): boolean {
    return generationId !== undefined || (upstreamStatus >= NO_GENERATION_FROM && !this.mayBeRefusal);
  }

  /**
   * Returns how many bytes of the body may be read only to find the generation id.
   * @param documentMaxBytes maximum length of a document, which may have the id at its end.
   */
  getIdWithinBytes(documentMaxBytes: number): number {
    return this.#isDocument ? Math.max(ID_WITHIN_BYTES, documentMaxBytes) : ID_WITHIN_BYTES;
  }

  /** Searches the body for the generation id, which the head does not have. */
  #lookForId(bytes: number): void {
    if (this.isEventStream) {
      this.#events.scan();
      // The first event may be longer than ID_WITHIN_BYTES if it repeats the request, so this reads its first fields early.
      if (this.#idBytesLeft > 0) this.#readIdentity(this.#readMembers(this.#events.incompleteEventData));
    } else this.#readIdentity(Object.fromEntries(this.#document.readFirstMembers(IDENTITY)));
    this.#idBytesLeft -= bytes;
    // The start of a document does not grow any more, and its end is read only when it is complete.
    if (this.#document.isStartComplete) this.#idBytesLeft = 0;
  }

  #readEvent(event: JsonObject): void {
    const { identity, usage, isError, isLast } = this.#format.readEvent(event);
    this.#readIdentity(identity);
    if (this.#format.parseUsage(usage))
      this.#usage = this.#format.combineUsage(this.#usage, readFields(usage));
    this.#hasErrorEvent ||= isError;
    this.#hasLastEvent ||= isLast;
  }

  /** Reads the identifying fields at the beginning of an event. */
  #readMembers(start: Buffer): JsonObject {
    const { identityMember } = this.#format;
    const json = identityMember === undefined ? start : findMemberStart(start, identityMember);
    return json.length === 0 ? {} : Object.fromEntries(readFirstMembers(json, IDENTITY));
  }

  #readIdentity({ id, provider, model }: JsonObject): void {
    this.#provider = readShortText(provider) ?? this.#provider;
    this.#model = readShortText(model) ?? this.#model;
    const context = this.#context;
    if (typeof id !== "string" || !context) return;
    const isKnown = context.generationId !== undefined;
    if (!isKnown && !GENERATION_ID.test(id)) return;
    this.#events.wantedKeys = this.#format.eventKeys;
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
      ? this.#hasLastEvent || this.#events.hasDoneAtEnd
      : (this.#document.isValid ?? this.#structure?.isComplete ?? true);
  }

  /** Whether a stream has ended without its last event. */
  get isMissingDone(): boolean {
    return this.isEventStream && !this.#isEncoded && !this.hasDone && !this.#events.hasDoneAtEnd;
  }

  /** Whether a stream has sent its last event: `[DONE]`, or the one that the API defines. */
  get hasDone(): boolean {
    // Reads `#events` first, because its scan may find the last event.
    return this.isEventStream && (this.#events.hasDone || this.#hasLastEvent);
  }

  /**
   * Whether the stream so far ends with its last event. This is cheap for most chunks, because they end with other bytes.
   * @param chunk the last chunk of the stream so far.
   */
  endsWithDone(chunk: Buffer): boolean {
    const { streamEnd } = this.#format;
    let at = chunk.length - 1;
    while (at >= 0 && (chunk[at] === LF || chunk[at] === CR)) at--;
    if (at === chunk.length - 1) return false;
    for (let end = streamEnd.length - 1; at >= 0 && end >= 0; at--, end--)
      if (chunk[at] !== streamEnd[end]) return false;
    return this.hasDone && this.isBetweenEvents;
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
    context.usage = this.#format.parseUsage(this.#usage);
    context.responseModel = this.#model;
    // OpenRouter documents a header for the provider, but no recorded response has it.
    context.provider ??= this.#provider;
    context.isUncharged = context.isResponseComplete && (this.#refusal?.isRefusal ?? false);
  }

  #finishStream(context: RequestContext): void {
    // The usage precedes the last event, so the stream is complete even if the connection fails afterwards.
    if (this.hasDone) context.isResponseComplete = true;
  }

  #finishDocument(context: RequestContext): void {
    this.#readIdentity(Object.fromEntries(this.#document.readFirstMembers(IDENTITY)));
    // In an incomplete document, a member near the end may be a nested one.
    if (!context.isResponseComplete || !this.#isComplete()) return;
    // Documents of embeddings and rerankings end with these fields.
    const found = { id: context.generationId, provider: this.#provider, model: this.#model };
    const missing = IDENTITY.filter((name) => found[name] === undefined);
    this.#readIdentity(Object.fromEntries(missing.map((name) => [name, this.#document.readMember(name)])));
    const usage = this.#document.readMember("usage");
    if (isJsonObject(usage)) this.#usage = usage;
  }
}

function readShortText(value: unknown): string | undefined {
  return typeof value === "string" && value.length <= TEXT_MAX_CHARS ? value : undefined;
}
