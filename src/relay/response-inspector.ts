import type { RequestContext, Usage } from "../http/request-context.ts";
import { generationIdOf, providerOf } from "../upstream/response-head.ts";
import type { UpstreamHead } from "../upstream/call.ts";
import { EventStreamReader, JsonKey } from "../response/event-stream.ts";
import { JsonDocumentReader } from "../response/json-document.ts";
import { JsonStructure } from "../response/json-structure.ts";
import { mayBeRefusal, RefusalReader } from "../response/refusal-body.ts";
import { readFirstMembers } from "../response/top-level-members.ts";
import { parseUsage } from "../metering/usage.ts";
import { mediaTypeOf } from "./response-guard.ts";
import type { JsonObject } from "../json-values.ts";

/** How much of an answer is searched for its id at once, where its head states none. Every answer begins with its id. */
const ID_WITHIN_BYTES = 65_536;
const TEXT_MAX_CHARS = 256;
const LF = 0x0a;
const CR = 0x0d;
const RIGHT_BRACKET = 0x5d;
const GENERATION_ID = /^gen-[\x21-\x7e]{1,124}$/;
const USAGE = new JsonKey("usage");
const ERROR = new JsonKey("error");
const ID = new JsonKey("id");
/** What an answer says of itself in its first fields. */
const IDENTITY = ["id", "provider", "model"] as const;

/**
 * What is read of a passing answer: whether it is complete, and for the bill. It holds no byte up. Only what stands at the
 * top level of a whole event or document is the answer's own: below it may be JSON of the client's that upstream repeats.
 */
export class ResponseInspector {
  isEventStream = false;
  #context: RequestContext | undefined = undefined;
  readonly #events = new EventStreamReader(
    (event) => this.#readEvent(event),
    (data) => this.#passOver(data),
  );
  readonly #document = new JsonDocumentReader();
  /** How many bytes more of the body are searched for the id; 0: the id is known, or there is none. */
  #idBytesLeft = 0;
  #usage: Usage | undefined = undefined;
  #provider: string | undefined = undefined;
  #model: string | undefined = undefined;
  #hasErrorEvent = false;
  /** Undefined before the head, and if the head rules out that the answer is a refusal. */
  #refusal: RefusalReader | undefined = undefined;
  #isHeadRead = false;
  /** The body ends with the connection: undici takes even a reset for its clean end. */
  #closeDelimited = false;
  /** Only of a document that the connection delimits. */
  #structure: JsonStructure | undefined = undefined;
  /** The body has a Content-Encoding, though none was asked for: nothing in it can be read. */
  #isEncoded = false;

  /** Reads the head of upstream's answer. */
  begin(head: UpstreamHead, context: RequestContext): void {
    const { headers, status } = head;
    this.#context = context;
    this.#isHeadRead = true;
    const mediaType = mediaTypeOf(head);
    this.isEventStream = mediaType === "text/event-stream";
    if (mayBeRefusal(status, mediaType)) this.#refusal = new RefusalReader();
    this.#closeDelimited =
      headers["content-length"] === undefined && !isChunked(headers["transfer-encoding"]);
    // undici gives a header that comes twice as an array, whatever its type says.
    const encoding = [headers["content-encoding"] as string | readonly string[] | undefined].flat().join();
    this.#isEncoded = !/^(?:identity)?,?$/i.test(encoding);
    if (this.#closeDelimited && !this.isEventStream) this.#structure = new JsonStructure();
    context.upstreamStatus = status;
    context.provider = providerOf(head);
    context.generationId = generationIdOf(head);
    this.#events.wantedKeys = [USAGE, ERROR, ID];
    if (context.generationId === undefined && status < 300) this.#idBytesLeft = ID_WITHIN_BYTES;
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
    return !this.#isHeadRead || (this.#refusal?.isPossible ?? false);
  }

  /** Its head has not stated the id by which its cost can be looked up, so the body has to. */
  #lookForId(bytes: number): void {
    if (this.isEventStream) {
      this.#events.scan();
      // A first event that repeats the request can be longer than what is read for its id.
      if (this.#idBytesLeft > 0) this.#identify(readMembers(this.#events.incompleteEventData));
    } else this.#identify(Object.fromEntries(this.#document.readFirstMembers(IDENTITY)));
    this.#idBytesLeft -= bytes;
  }

  #readEvent(event: JsonObject): void {
    this.#identify(event);
    this.#usage = parseUsage(event["usage"]) ?? this.#usage;
    this.#hasErrorEvent ||= (event["error"] ?? null) !== null;
  }

  #passOver(data: Buffer): void {
    // It may be the event that states the bill.
    this.#usage = undefined;
    if (this.#idBytesLeft > 0) this.#identify(readMembers(data));
  }

  #identify({ id, provider, model }: JsonObject): void {
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

  /** Whether an answer that has ended was cut short by an end that looks clean. */
  get isTruncated(): boolean {
    return this.#closeDelimited && !this.#isEncoded && !this.#endsWhole();
  }

  #endsWhole(): boolean {
    return this.isEventStream
      ? this.#events.hasDoneAtEnd
      : (this.#document.isValid ?? this.#structure?.isComplete ?? true);
  }

  /** Whether a stream that has ended did not say so before. */
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

  /** Whether the answer states an error. */
  get hasError(): boolean {
    if (!this.isEventStream) return this.#document.hasError;
    this.#events.scan();
    return this.#hasErrorEvent;
  }

  /** Writes into the record what the answer says of itself, once nothing more of it will come. */
  finish(context: RequestContext): void {
    if (this.isEventStream) this.#concludeStream(context);
    else this.#concludeDocument(context);
    context.usage = this.#usage;
    context.responseModel = this.#model;
    // Documented as a header, and seen in none of the recorded answers.
    context.provider ??= this.#provider;
    context.isUncharged = context.isResponseComplete && (this.#refusal?.isRefusal ?? false);
  }

  #concludeStream(context: RequestContext): void {
    // The bill is in the last event: whoever has read [DONE] has all of it, however the connection ends.
    if (this.#events.hasDone) context.isResponseComplete = true;
  }

  #concludeDocument(context: RequestContext): void {
    this.#identify(Object.fromEntries(this.#document.readFirstMembers(IDENTITY)));
    // The place of a member is certain only in a document that is complete.
    if (!context.isResponseComplete || !this.#endsWhole()) return;
    if (context.generationId === undefined) this.#identify({ id: this.#document.readMember("id") });
    this.#usage = parseUsage(this.#document.readMember("usage"));
  }
}

/** Whether the body ends with its last chunk: with any other coding at the end, the connection ends it (RFC 9112, 6.3). */
function isChunked(transferEncoding: string | readonly string[] | undefined): boolean {
  return /(?:^|,)[ \t]*chunked[ \t]*$/i.test([transferEncoding ?? ""].flat().join());
}

/** What the beginning of an event says of its answer. */
function readMembers(json: Buffer): JsonObject {
  return json.length === 0 ? {} : Object.fromEntries(readFirstMembers(json, IDENTITY));
}

function readShortText(value: unknown): string | undefined {
  return typeof value === "string" && value.length <= TEXT_MAX_CHARS ? value : undefined;
}
