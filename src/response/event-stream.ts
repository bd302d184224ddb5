import { copyToOwnMemory } from "./own-memory.ts";
import { isJsonObject, type JsonObject } from "../json-values.ts";

/** Bytes to collect before a search, because one native search of this size costs less than many small ones. */
const SCAN_BYTES = 16_384;
/** Chunks to collect before a search. Each has about 200 bytes of overhead, so 16,384 one-byte chunks would occupy 3 MB. */
const SCAN_CHUNKS = 256;
/**
 * Maximum size of an event that is parsed. A longer event is skipped, and if it may contain the usage, the gateway looks up
 * the cost. The event that contains the usage has a few kilobytes; the longest recorded one has 12 kB. The limit bounds the
 * memory of each stream.
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
/** Bytes to keep of a skipped event. Its blank line has up to three bytes, and two of them may have arrived already. */
const KEPT_OF_LONG_BYTES = 2;

/** A key of JSON objects, prepared for many searches. */
export class JsonKey {
  /** The name and its closing quote. The opening quote is omitted: a native search for it would pause at every JSON string. */
  readonly needle: Buffer;

  constructor(name: string) {
    this.needle = Buffer.from(`${name}"`);
  }
}

/**
 * Inspects an event stream while the gateway relays it. The reader finds complete events that have one of the wanted keys,
 * whether the stream has sent `[DONE]`, and whether it is between two events. It keeps at most {@link EVENT_MAX_BYTES} of an
 * incomplete event, and at most {@link SCAN_BYTES} that it has not searched yet.
 */
export class EventStreamReader {
  /** Only events with one of these keys are parsed. The list may change at any time, also in `onEvent`. */
  wantedKeys: readonly JsonKey[] = [];
  readonly #onEvent: (event: JsonObject) => void;
  readonly #onUnreadable: (data: Buffer) => void;
  /** Bytes that have not been searched yet. They start at the beginning of an event, unless an event is being skipped. */
  #chunks: Buffer[] = [];
  #bytes = 0;
  #scanAt = SCAN_BYTES;
  /** Whether the current event is longer than {@link EVENT_MAX_BYTES}. The reader drops the data of such an event. */
  #isSkipping = false;
  #isDone = false;
  #isScanned = true;

  /**
   * @param onEvent called with the data of each complete event that has a wanted key, at any depth.
   * @param onUnreadable called for each event that may have a wanted key but is too long or not valid JSON. The argument is
   * the beginning of the first data line if the event is too long, otherwise an empty buffer.
   */
  constructor(onEvent: (event: JsonObject) => void, onUnreadable: (data: Buffer) => void = () => {}) {
    this.#onEvent = onEvent;
    this.#onUnreadable = onUnreadable;
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
    if (this.#isSkipping) {
      start = findFirstEventEnd(bytes, 0, separators);
      if (start === -1) return this.#keep(bytes.subarray(-KEPT_OF_LONG_BYTES));
      this.#isSkipping = false;
    }
    const end = Math.max(start, findLastEventEnd(bytes, separators));
    if (end > start) this.#readEvents(bytes.subarray(start, end), separators);
    this.#isSkipping = bytes.length - end > EVENT_MAX_BYTES;
    if (this.#isSkipping) this.#onUnreadable(readFirstData(bytes.subarray(end)));
    this.#keep(bytes.subarray(this.#isSkipping ? -KEPT_OF_LONG_BYTES : end));
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
      this.#onUnreadable(NOTHING);
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
    return this.hasDone || (!this.#isSkipping && hasDoneLine(Buffer.concat([this.#rest(), Buffer.of(LF)])));
  }

  /** Whether the stream is between two events, so that the gateway can append an event without corrupting another. */
  get isBetweenEvents(): boolean {
    this.scan();
    return !this.#isSkipping && this.#bytes === 0;
  }

  /** Bytes after the last complete event. Valid after `scan`. */
  #rest(): Buffer {
    return this.#isSkipping ? NOTHING : (this.#chunks[0] ?? NOTHING);
  }

  #readEvents(events: Buffer, separators: readonly Buffer[]): void {
    this.#isDone ||= hasDoneLine(events);
    for (let at = findNextKey(events, this.wantedKeys, 0); at !== -1;) {
      const start = findLastEventEnd(events.subarray(0, at), separators);
      const end = findFirstEventEnd(events, at, separators);
      for (const data of readEventData(events.toString("utf8", start, end))) this.#readData(data);
      at = findNextKey(events, this.wantedKeys, end);
    }
  }
}

/** Returns the received part of the first data line of an event. */
function readFirstData(event: Buffer): Buffer {
  const at = event.indexOf(DATA);
  const isLineStart = at === 0 || event[at - 1] === LF || event[at - 1] === CR;
  return at === -1 || !isLineStart ? NOTHING : event.subarray(at + DATA.length);
}

/** Returns the first position of any of the keys whose value is not null; -1 if there is none. */
function findNextKey(events: Buffer, keys: readonly JsonKey[], from: number): number {
  let first = -1;
  for (const { needle } of keys) {
    const searched = first === -1 ? events : events.subarray(0, first);
    let at = searched.indexOf(needle, from);
    while (at !== -1 && !isKeyWithValue(events, at, needle.length))
      at = searched.indexOf(needle, at + needle.length);
    if (at !== -1) first = at;
  }
  return first;
}

/** Whether the match is a whole key whose value is not null. Some streams have `"usage":null` in every event. */
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
