import { copyToOwnMemory } from "./own-memory.ts";
import { isJsonObject, type JsonObject } from "../json-values.ts";

/** How much of a stream is collected before it is searched: one native search of this much costs less than many small ones. */
const SCAN_BYTES = 16_384;
/** Each chunk takes some 200 bytes besides its own: a stream of one-byte chunks would take megabytes until it is searched. */
const SCAN_CHUNKS = 256;
/**
 * A longer event is passed over; if it may have stated the usage, the cost is looked up. The last event of a stream, which
 * states its usage, has a few kilobytes, the longest recorded one 12. A gateway keeps this much for each of its streams.
 */
const EVENT_MAX_BYTES = 32_768;

const LF = 0x0a;
const CR = 0x0d;
const QUOTE = 0x22;
const NOTHING = Buffer.alloc(0);
const DONE = Buffer.from("[DONE]");
const DATA = Buffer.from("data:");
/** A byte order mark and `data: `. */
const DONE_PREFIX_MAX_BYTES = 9;
/** The line breaks of a blank line, which ends an event (WHATWG HTML, section 9.2.6). JSON text contains neither CR nor LF. */
const BLANK_LINE = Buffer.from("\n\n");
const BLANK_LINES_WITH_CR = [BLANK_LINE, Buffer.from("\n\r\n"), Buffer.from("\r\r")];
/** How much is kept of an event that is passed over: its blank line of up to three bytes may have begun. */
const KEPT_OF_LONG_BYTES = 2;

/** A key of JSON objects, made once for many searches. */
export class JsonKey {
  /** The name and its closing quote. Without the opening one, at which a native search would stop for every JSON string. */
  readonly needle: Buffer;

  constructor(name: string) {
    this.needle = Buffer.from(`${name}"`);
  }
}

/**
 * Reads a passing event stream without holding it up: finds the complete events that have one of a few keys, whether the
 * stream has said `[DONE]`, and whether it is between two events. It keeps at most {@link EVENT_MAX_BYTES} of an event that is not
 * complete, and {@link SCAN_BYTES} that have not been searched.
 */
export class EventStreamReader {
  /** Keys of the events to parse. May be changed at any time, also by `onEvent`. */
  wantedKeys: readonly JsonKey[] = [];
  readonly #onEvent: (event: JsonObject) => void;
  readonly #onUnreadable: (data: Buffer) => void;
  /** Bytes that have not been searched yet, from the beginning of an event on. */
  #chunks: Buffer[] = [];
  #bytes = 0;
  #scanAt = SCAN_BYTES;
  /** The current event is longer than an event may be: its data is dropped. */
  #isSkipping = false;
  #isDone = false;
  #isScanned = true;

  /**
   * @param onEvent called with each complete event that has a wanted key, at any depth.
   * @param onUnreadable called for each event that may have a wanted key but is too long or no JSON, with the beginning of its
   * first data line if it is too long, else with nothing.
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

  /** Searches what has come since it was last called. */
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

  /** The first data line of the event that is not complete yet, as far as it has come. Call after `scan`. */
  get incompleteEventData(): Buffer {
    return readFirstData(this.#rest());
  }

  /** Whether a line of the stream is `data: [DONE]`, with its line break: half a line may be the beginning of another. */
  get hasDone(): boolean {
    this.scan();
    return this.#isDone || hasDoneLine(this.#rest());
  }

  /** The same for a stream that has ended cleanly, whose last line needs no line break. */
  get hasDoneAtEnd(): boolean {
    return this.hasDone || (!this.#isSkipping && hasDoneLine(Buffer.concat([this.#rest(), Buffer.of(LF)])));
  }

  /** Whether the stream is between two events: an event that is added now does not complete half of another. */
  get isBetweenEvents(): boolean {
    this.scan();
    return !this.#isSkipping && this.#bytes === 0;
  }

  /** What follows the last complete event, once it was searched. */
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

/** The first data line of an event, as far as it has come. */
function readFirstData(event: Buffer): Buffer {
  const at = event.indexOf(DATA);
  const isLineStart = at === 0 || event[at - 1] === LF || event[at - 1] === CR;
  return at === -1 || !isLineStart ? NOTHING : event.subarray(at + DATA.length);
}

/** Position of the first of the keys that has a value other than null; -1 if there is none. */
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

/** Whether it is a key whose value is not null: `"usage":null` is in every event of some streams. */
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

/** The data of the events of a text that ends with a blank line: usually one, more where line breaks are mixed. */
function readEventData(text: string): string[] {
  const events: string[] = [];
  let data: string[] = [];
  for (const line of text.split(/\r\n|\n|\r/)) {
    if (line === "" && data.length > 0) {
      events.push(data.join("\n"));
      data = [];
    }
    // JSON does not escape U+2028, which a dot without the flag does not match.
    const [, value] = /^\ufeff?data: ?(.*)$/s.exec(line) ?? [];
    if (value !== undefined) data.push(value);
  }
  return events;
}

/** Whether a whole line is `data: [DONE]`; a text that a model writes has its line breaks escaped. */
function hasDoneLine(bytes: Buffer): boolean {
  for (let at = bytes.lastIndexOf(DONE); at !== -1; at = at === 0 ? -1 : bytes.lastIndexOf(DONE, at - 1)) {
    const after = bytes[at + DONE.length];
    if (after !== LF && after !== CR) continue;
    // What is cut at the left has too many bytes to match at its beginning.
    const before = bytes.toString("latin1", Math.max(0, at - DONE_PREFIX_MAX_BYTES - 1), at);
    if (/(?:^|[\r\n])(?:\xef\xbb\xbf)?data: ?$/.test(before)) return true;
  }
  return false;
}
