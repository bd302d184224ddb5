import { LongEvent } from "./long-event.ts";
import { NextMatches } from "./next-matches.ts";
import { copyToOwnMemory } from "./own-memory.ts";
import { isJsonObject, type JsonObject } from "../json-values.ts";

/** Bytes to collect before a search, because one native search of this size costs less than many small ones. */
const SCAN_BYTES = 16_384;
/** Chunks to collect before a search. Each has about 200 bytes of overhead, so 16,384 one-byte chunks would occupy 3 MB. */
const SCAN_CHUNKS = 256;
/**
 * Maximum size of an event that is kept. If an event is longer, only its outline is kept: events of the Responses API repeat
 * the instructions and the whole response. The limit bounds the memory of each stream.
 */
const EVENT_MAX_BYTES = 32_768;

const LF = 0x0a;
const CR = 0x0d;
const QUOTE = 0x22;
const NOTHING = Buffer.alloc(0);
const DONE = Buffer.from("[DONE]");
const DATA = Buffer.from("data:");
/** Maximum length of the text before `[DONE]` on its line: a byte order mark and `data: `. */
const DONE_PREFIX_MAX_BYTES = 9;
/**
 * Line breaks of the blank line that ends an event (WHATWG HTML, section 9.2.6). They cannot occur inside a JSON string, which
 * escapes CR and LF.
 */
const BLANK_LINE = Buffer.from("\n\n");
const BLANK_LINES_WITH_CR = [BLANK_LINE, Buffer.from("\n\r\n"), Buffer.from("\r\r")];
/** Bytes to keep of a long event. Its blank line has up to three bytes, and two of them may have arrived already. */
const KEPT_OF_LONG_BYTES = 2;

/** A key or a string value of JSON objects, prepared for many searches. */
export class JsonKey {
  /** The text and its closing quote. The opening quote is omitted: a native search for it would pause at every JSON string. */
  readonly needle: Buffer;

  constructor(name: string) {
    this.needle = Buffer.from(`${name}"`);
  }
}

/** Receives the events of a stream. */
export interface EventStreamHandlers {
  /** Called with the data of each complete event that has a wanted text, and with the outline of each long event. */
  readonly onEvent: (event: JsonObject) => void;
  /** Called for each event whose data, which may contain a wanted text, is not valid JSON or has a too long outline. */
  readonly onUnreadable?: () => void;
  /** Called at the beginning of a long event with the first bytes of its data. */
  readonly onLongEvent?: (start: Buffer) => void;
}

/**
 * Inspects an event stream while the gateway relays it. The reader finds complete events that have one of the wanted texts,
 * whether the stream has sent `[DONE]`, and whether it is between two events. It keeps at most {@link EVENT_MAX_BYTES} of an
 * incomplete event, and at most {@link SCAN_BYTES} that it has not searched yet.
 */
export class EventStreamReader {
  /** Only events with one of these texts, and long events, are parsed. The list may change at any time, also in `onEvent`. */
  wantedKeys: readonly JsonKey[] = [];
  readonly #onEvent: (event: JsonObject) => void;
  readonly #onUnreadable: () => void;
  readonly #onLongEvent: (start: Buffer) => void;
  /** Bytes that have not been searched yet. They start at the beginning of an event. */
  #chunks: Buffer[] = [];
  #bytes = 0;
  #scanAt = SCAN_BYTES;
  /** The current event, if it is longer than {@link EVENT_MAX_BYTES}. */
  #longEvent: LongEvent | undefined = undefined;
  #isDone = false;
  #isScanned = true;

  constructor({ onEvent, onUnreadable = () => {}, onLongEvent = () => {} }: EventStreamHandlers) {
    this.#onEvent = onEvent;
    this.#onUnreadable = onUnreadable;
    this.#onLongEvent = onLongEvent;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    this.#isScanned = false;
    if (this.#bytes >= this.#scanAt || this.#chunks.length >= SCAN_CHUNKS) this.scan();
  }

  /** Searches the chunks that were pushed since the last scan. */
  scan(): void {
    if (this.#isScanned) return;
    this.#isScanned = true;
    const bytes = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
    const separators = bytes.includes(CR) ? BLANK_LINES_WITH_CR : [BLANK_LINE];
    let start = 0;
    if (this.#longEvent) {
      start = findFirstEventEnd(bytes, 0, separators);
      if (start === -1) return this.#keepLong(this.#longEvent, bytes);
      this.#endLongEvent(this.#longEvent, bytes.subarray(0, start));
    }
    const end = Math.max(start, findLastEventEnd(bytes, separators));
    if (end > start) this.#readEvents(bytes.subarray(start, end), separators);
    const rest = bytes.subarray(end);
    if (rest.length <= EVENT_MAX_BYTES) return this.#keep(rest);
    const data = readFirstData(rest);
    this.#onLongEvent(data);
    this.#longEvent = new LongEvent();
    this.#keepLong(this.#longEvent, data.length > KEPT_OF_LONG_BYTES ? data : rest);
  }

  /** Adds bytes to a long event, except the last ones, which may belong to its blank line. */
  #keepLong(event: LongEvent, bytes: Buffer): void {
    event.push(bytes.subarray(0, -KEPT_OF_LONG_BYTES));
    this.#keep(bytes.subarray(-KEPT_OF_LONG_BYTES));
  }

  #endLongEvent(event: LongEvent, rest: Buffer): void {
    event.push(rest);
    this.#longEvent = undefined;
    const outline = event.parse();
    if (outline) this.#onEvent(outline);
    else this.#onUnreadable();
  }

  #keep(rest: Buffer): void {
    this.#chunks = rest.length === 0 ? [] : [copyToOwnMemory(rest)];
    this.#bytes = rest.length;
    this.#scanAt = rest.length + SCAN_BYTES;
  }

  #readData(data: string): void {
    try {
      const value: unknown = JSON.parse(data);
      if (isJsonObject(value)) this.#onEvent(value);
    } catch {
      this.#onUnreadable();
    }
  }

  /** The received part of the first data line of the incomplete event. Valid after `scan`. */
  get incompleteEventData(): Buffer {
    return readFirstData(this.#rest());
  }

  /** Whether the stream has a line `data: [DONE]` with a line break. Without one, the line may continue in the next chunk. */
  get hasDone(): boolean {
    this.scan();
    return this.#isDone || hasDoneLine(this.#rest());
  }

  /** Whether a stream that ended normally has a line `data: [DONE]`. The last line needs no line break. */
  get hasDoneAtEnd(): boolean {
    return this.hasDone || (!this.#longEvent && hasDoneLine(Buffer.concat([this.#rest(), Buffer.of(LF)])));
  }

  /** Whether the stream is between two events, so that the gateway can append an event without corrupting another. */
  get isBetweenEvents(): boolean {
    this.scan();
    return !this.#longEvent && this.#bytes === 0;
  }

  /** Bytes after the last complete event. Valid after `scan`. */
  #rest(): Buffer {
    return this.#longEvent ? NOTHING : (this.#chunks[0] ?? NOTHING);
  }

  #readEvents(events: Buffer, separators: readonly Buffer[]): void {
    this.#isDone ||= hasDoneLine(events);
    const keys = new NextMatches(events, isKeyWithValue);
    const breaks = new NextMatches(events);
    for (let end = 0; ;) {
      const at = Math.min(...this.wantedKeys.map(({ needle }) => keys.find(needle, end)));
      if (at >= events.length) return;
      const start = end + findLastEventEnd(events.subarray(end, at), separators);
      end = Math.min(...separators.map((separator) => breaks.find(separator, at) + separator.length));
      for (const data of readEventData(events.toString("utf8", start, end))) this.#readData(data);
    }
  }
}

/** Returns the received part of the first data line of an event. */
function readFirstData(event: Buffer): Buffer {
  const at = event.indexOf(DATA);
  const isLineStart = at === 0 || event[at - 1] === LF || event[at - 1] === CR;
  return at === -1 || !isLineStart ? NOTHING : event.subarray(at + DATA.length);
}

/** Whether the match is a whole string and not a key whose value is null. Some streams have `"usage":null` in every event. */
function isKeyWithValue(events: Buffer, at: number, length: number): boolean {
  if (events[at - 1] !== QUOTE) return false;
  return !/^\s*:\s*null/.test(events.toString("latin1", at + length, at + length + 16));
}

function findFirstEventEnd(bytes: Buffer, from: number, separators: readonly Buffer[]): number {
  let first = -1;
  for (const separator of separators) {
    const at = bytes.indexOf(separator, from);
    if (at !== -1 && (first === -1 || at + separator.length < first)) first = at + separator.length;
  }
  return first;
}

function findLastEventEnd(bytes: Buffer, separators: readonly Buffer[]): number {
  let last = 0;
  for (const separator of separators) {
    const at = bytes.lastIndexOf(separator);
    if (at !== -1) last = Math.max(last, at + separator.length);
  }
  return last;
}

/**
 * Returns the data of each event in a text that ends with a blank line. The text has several events only if it mixes kinds of
 * line breaks, because the search for blank lines does not find LF CR.
 */
function readEventData(text: string): string[] {
  const events: string[] = [];
  let data: string[] = [];
  for (const line of text.split(/\r\n|\n|\r/)) {
    if (line === "" && data.length > 0) {
      events.push(data.join("\n"));
      data = [];
    }
    // The flag `s` lets the dot match U+2028, which JSON does not escape.
    const [, value] = /^\ufeff?data: ?(.*)$/s.exec(line) ?? [];
    if (value !== undefined) data.push(value);
  }
  return events;
}

/** Whether there is a complete line `data: [DONE]`. Text of a model cannot match, because JSON escapes its line breaks. */
function hasDoneLine(bytes: Buffer): boolean {
  for (let at = bytes.lastIndexOf(DONE); at !== -1; at = at === 0 ? -1 : bytes.lastIndexOf(DONE, at - 1)) {
    const after = bytes[at + DONE.length];
    if (after !== LF && after !== CR) continue;
    // Includes one byte more than the longest prefix, so that `^` cannot match in the middle of a line.
    const before = bytes.toString("latin1", Math.max(0, at - DONE_PREFIX_MAX_BYTES - 1), at);
    if (/(?:^|[\r\n])(?:\xef\xbb\xbf)?data: ?$/.test(before)) return true;
  }
  return false;
}
