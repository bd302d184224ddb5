/** A half-open range of bytes. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** How large a JSON text may be, apart from its bytes. */
export interface SizeLimits {
  /** Commas and opening brackets in all: about one for each value. */
  readonly values: number;
  /** Fields of the outermost object. */
  readonly topLevelFields: number;
  /** Fields of any other object. */
  readonly fields: number;
}

/** What one pass over the bytes of a JSON object finds. Positions mean something only if the text is valid JSON. */
export interface TopLevelFields {
  readonly isTooDeep: boolean;
  /** The first limit that the text exceeds. */
  readonly exceededLimit: keyof SizeLimits | undefined;
  /** Spans of the keys of the outermost object, quotes included, repeats included. */
  readonly keys: readonly Span[];
  /** Spans of the keys of every object that are written with a backslash, quotes included. */
  readonly escapedKeys: readonly Span[];
  /** Span of the string that is the value of `model`, quotes included. */
  readonly model: Span | undefined;
  /** Spans of the strings in the array that is the value of `models`. */
  readonly models: readonly Span[];
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** Runs of bytes up to this long are scanned here; beyond it the native search is faster than its call costs. */
const SHORT_RUN_BYTES = 64;
/** The longest such run: see endOfString(). */
const LONG_RUN_BYTES = 4_096;
/** How far a mark is looked for byte by byte: between values there are few bytes, and seven native searches for many. */
const NEAR_BYTES = 32;
const UNLIMITED: SizeLimits = { values: Infinity, topLevelFields: Infinity, fields: Infinity };

/**
 * Finds the top-level keys and the model strings of a JSON object in its raw bytes, in one pass, without recursion and
 * without copying, so that bytes can be changed in place of re-serialising the object. It does not check the syntax:
 * `JSON.parse` does, and finds nothing here that it would read otherwise. The pass ends at the first limit that the text
 * exceeds, where the outermost value ends, and where two strings or colons follow each other as they never do in JSON: so
 * the values bound all steps, in any text.
 * @param json UTF-8 text. @param maxDepth how many brackets may be open at once.
 */
export function findTopLevelFields(
  json: Buffer,
  maxDepth: number,
  limits: SizeLimits = UNLIMITED,
): TopLevelFields {
  const found = new Found(limits);
  const { length } = json;
  const marks = new MarkSearch(json);
  const backslashes = new ByteSearch(json, BACKSLASH);
  let depth = 0;
  let values = 0;
  let mayBeKey = false;
  let stringStart = 0;
  /** Where the string before ends; 0 if something else came between. */
  let stringEnd = 0;
  for (let at = marks.next(0); at < length; at = marks.next(at + 1)) {
    const byte = json[at];
    if (byte === QUOTE) {
      if (stringEnd !== 0) break;
      stringStart = at;
      stringEnd = findStringEnd(json, at);
      if (found.field !== "") found.readString(depth, stringStart, stringEnd);
      at = stringEnd - 1;
      continue;
    }
    if (byte === COLON) {
      if (!mayBeKey || stringEnd === 0) break;
      mayBeKey = false;
      if (backslashes.next(stringStart) < stringEnd)
        found.escapedKeys.push({ start: stringStart, end: stringEnd });
      if (depth === 1) found.readKey(json, stringStart, stringEnd);
      found.countField(depth);
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (--depth <= 0) break;
    } else {
      mayBeKey = true;
      if (++values > limits.values) found.exceededLimit = "values";
      if (byte === COMMA) found.endField(depth);
      else found.counts[++depth] = 0;
      found.isTooDeep = depth > maxDepth;
    }
    if (found.isTooDeep || found.exceededLimit) break;
    stringEnd = 0;
  }
  return found;
}

/** What a pass has found so far. */
class Found implements TopLevelFields {
  readonly keys: Span[] = [];
  readonly escapedKeys: Span[] = [];
  readonly models: Span[] = [];
  model: Span | undefined;
  exceededLimit: keyof SizeLimits | undefined;
  isTooDeep = false;
  /** The name of the top-level field whose value is read, if it matters. */
  field = "";
  /** How many fields each open object has so far. */
  readonly counts = [0];
  readonly #limits: SizeLimits;

  constructor(limits: SizeLimits) {
    this.#limits = limits;
  }

  countField(depth: number): void {
    const limit = depth === 1 ? "topLevelFields" : "fields";
    const count = (this.counts[depth] ?? 0) + 1;
    this.counts[depth] = count;
    if (count > this.#limits[limit]) this.exceededLimit = limit;
  }

  readKey(json: Buffer, start: number, end: number): void {
    const key = { start, end };
    this.keys.push(key);
    this.field = readFieldName(json, key);
  }

  readString(depth: number, start: number, end: number): void {
    if (depth === 1 && this.field === "model") this.model = { start, end };
    else if (depth === 2 && this.field === "models") this.models.push({ start, end });
  }

  endField(depth: number): void {
    if (depth === 1) this.field = "";
  }
}

const MARKS = [QUOTE, COLON, COMMA, OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET];
const IS_MARK = new Uint8Array(256);
for (const mark of MARKS) IS_MARK[mark] = 1;

/** Finds brackets, quotes, colons and commas, past long numbers and white space without a step for each byte. */
class MarkSearch {
  readonly #json: Buffer;
  readonly #marks: readonly ByteSearch[];

  constructor(json: Buffer) {
    this.#json = json;
    this.#marks = MARKS.map((mark) => new ByteSearch(json, mark));
  }

  /** @returns the position of the first mark at or after `from`, or the length of the text. */
  next(from: number): number {
    const json = this.#json;
    const near = Math.min(json.length, from + NEAR_BYTES);
    let at = from;
    // One comparison for four bytes: this loop is most of the pass.
    for (; at + 4 <= near; at += 4) {
      const isMark =
        isMarkAt(json, at) | isMarkAt(json, at + 1) | isMarkAt(json, at + 2) | isMarkAt(json, at + 3);
      if (isMark !== 0) break;
    }
    for (; at < near; at++) if (isMarkAt(json, at) !== 0) return at;
    let nearest = json.length;
    if (near < nearest) for (const mark of this.#marks) nearest = Math.min(nearest, mark.next(near));
    return nearest;
  }
}

/** Finds one byte, each time further on: all searches together read the text once. */
class ByteSearch {
  readonly #json: Buffer;
  readonly #byte: number;
  #found = -1;

  constructor(json: Buffer, byte: number) {
    this.#json = json;
    this.#byte = byte;
  }

  /** @param from no less than before. @returns the first position at or after `from`, or the length of the text. */
  next(from: number): number {
    if (this.#found < from) {
      const at = this.#json.indexOf(this.#byte, from);
      this.#found = at === -1 ? this.#json.length : at;
    }
    return this.#found;
  }
}

function isMarkAt(json: Buffer, at: number): number {
  return IS_MARK[json[at] as number] as number;
}

/** The text of a JSON string, escapes decoded. */
export function decodeJsonString(json: Buffer, { start, end }: Span): string {
  return JSON.parse(json.toString("utf8", start, end)) as string;
}

/** Every spelling of `model` and `models` that JSON has: `"\u006dodel"` is `model` too. */
const MODEL_NAME = /^(?:m|\\u006[dD])(?:o|\\u006[fF])(?:d|\\u0064)(?:e|\\u0065)(?:l|\\u006[cC])(s|\\u0073)?$/;
const SHORTEST_NAME_BYTES = 5;
const LONGEST_NAME_BYTES = 36;

/** `model`, `models`, or nothing for any other key. @param key its span, quotes included. */
function readFieldName(json: Buffer, key: Span): string {
  const length = key.end - key.start - 2;
  if (length < SHORTEST_NAME_BYTES || length > LONGEST_NAME_BYTES) return "";
  const match = MODEL_NAME.exec(json.toString("latin1", key.start + 1, key.end - 1));
  if (match === null) return "";
  return match[1] === undefined ? "model" : "models";
}

/** Position after the closing quote of the string that opens at `start`, or the length of the text if it never closes. */
function findStringEnd(json: Buffer, start: number): number {
  const { length } = json;
  let at = start + 1;
  // Doubled whenever a native search ends at an escaped quote: a string of them would cost a call for each.
  for (let run = SHORT_RUN_BYTES; ; run = Math.min(2 * run, LONG_RUN_BYTES)) {
    const near = Math.min(length, at + run);
    for (; at < near; at++) {
      const byte = json[at];
      if (byte === QUOTE) return at + 1;
      if (byte === BACKSLASH) at++;
    }
    // `at` stands at a character, never behind a backslash that escapes it: backslashes before it need not be counted.
    const quote = json.indexOf(QUOTE, at);
    if (quote === -1) return length;
    let backslashes = 0;
    while (quote - 1 - backslashes >= at && json[quote - 1 - backslashes] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return quote + 1;
    at = quote + 1;
  }
}
