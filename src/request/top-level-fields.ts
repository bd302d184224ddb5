/** A half-open range of bytes. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Limits of a JSON text, in addition to its number of bytes. */
export interface SizeLimits {
  /** Maximum number of commas and opening brackets, which is about the number of values. */
  readonly values: number;
  /** Maximum number of strings, keys included. */
  readonly strings: number;
  /** Maximum number of fields of the outermost object. */
  readonly topLevelFields: number;
  /** Maximum number of fields of any other object. */
  readonly fields: number;
  /** Maximum number of fields of all objects together. */
  readonly allFields: number;
}

/** Result of one pass over the bytes of a JSON object. The spans are correct only if the text is valid JSON. */
export interface TopLevelFields {
  readonly isTooDeep: boolean;
  /** The first limit that the text exceeds. */
  readonly exceededLimit: keyof SizeLimits | undefined;
  /** Spans, with quotes, of all keys of the outermost object. A repeated key has several spans. */
  readonly keys: readonly Span[];
  /** Spans, with quotes, of all keys of any object that contain a backslash. */
  readonly escapedKeys: readonly Span[];
  /** Span, with quotes, of the string that is the value of `model`. */
  readonly model: Span | undefined;
  /** Spans, with quotes, of the strings in the array that is the value of `models`. */
  readonly models: readonly Span[];
  /** Spans of the strings that are the value of `model` in the objects of the array `fallbacks`, with their quotes. */
  readonly fallbackModels: readonly Span[];
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/**
 * JavaScript scans runs of up to this many bytes. The native search is faster only for longer runs, because each call to it has
 * a fixed cost.
 */
const SHORT_RUN_BYTES = 64;
/** Maximum number of bytes of a string to scan in JavaScript before the next native search: see findStringEnd(). */
const LONG_RUN_BYTES = 4_096;
/**
 * Number of bytes to scan in JavaScript for the next mark. Most gaps between marks are shorter. A longer gap takes seven
 * native searches, one for each mark.
 */
const NEAR_BYTES = 32;
const UNLIMITED: SizeLimits = {
  values: Infinity,
  strings: Infinity,
  topLevelFields: Infinity,
  fields: Infinity,
  allFields: Infinity,
};

/**
 * Finds the top-level keys and the model strings of a JSON object in its raw bytes, in one pass without recursion or copies.
 * With their positions, the gateway can change the bytes and need not serialize the object again. This function does not check
 * the syntax; `JSON.parse` does, and for valid JSON both find the same fields. The pass ends at the first exceeded limit, at
 * the end of the outermost value, or at two consecutive strings or colons, which valid JSON never has. The limit on values
 * therefore bounds the number of steps for any text.
 * @param json UTF-8 text. @param maxDepth maximum nesting depth.
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
  let strings = 0;
  let mayBeKey = false;
  let stringStart = 0;
  /** End of the previous string; 0 if another mark has followed that string. */
  let stringEnd = 0;
  for (let at = marks.next(0); at < length; at = marks.next(at + 1)) {
    const byte = json[at];
    if (byte === QUOTE) {
      if (stringEnd !== 0) break;
      // The pass ends at the next mark, so that only the other marks need a check.
      if (++strings > limits.strings) found.exceededLimit = "strings";
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
      if (depth === 1 || (depth === FALLBACK_DEPTH && found.field === "fallbacks"))
        found.readKey(json, depth, { start: stringStart, end: stringEnd });
      found.countField(depth);
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (--depth <= 0) break;
    } else {
      mayBeKey = true;
      if (++values > limits.values) found.exceededLimit = "values";
      if (byte === COMMA) found.endField(depth);
      else found.open(++depth);
      found.isTooDeep = depth > maxDepth;
    }
    if (found.isTooDeep || found.exceededLimit) break;
    stringEnd = 0;
  }
  return found;
}

/** Number of open objects and arrays inside an object of the array `fallbacks`. */
const FALLBACK_DEPTH = 3;

/** The part of the result that the pass has found so far. */
class Found implements TopLevelFields {
  readonly keys: Span[] = [];
  readonly escapedKeys: Span[] = [];
  readonly models: Span[] = [];
  readonly fallbackModels: Span[] = [];
  model: Span | undefined;
  exceededLimit: keyof SizeLimits | undefined;
  isTooDeep = false;
  /** `model`, `models` or `fallbacks` while the pass reads the value of that field, otherwise "". */
  field = "";
  /** Whether the pass is at the value of `model` in an object of `fallbacks`. */
  #isAtFallbackModel = false;
  /** Number of fields found so far in each open object, by depth. */
  readonly #counts = [0];
  #allFields = 0;
  readonly #limits: SizeLimits;

  constructor(limits: SizeLimits) {
    this.#limits = limits;
  }

  /** @param depth depth inside the opened object or array. */
  open(depth: number): void {
    this.#counts[depth] = 0;
    this.#isAtFallbackModel = false;
  }

  countField(depth: number): void {
    const limit = depth === 1 ? "topLevelFields" : "fields";
    const count = (this.#counts[depth] ?? 0) + 1;
    this.#counts[depth] = count;
    if (count > this.#limits[limit]) this.exceededLimit = limit;
    if (++this.#allFields > this.#limits.allFields) this.exceededLimit = "allFields";
  }

  /** @param depth 1, or the depth of a fallback's fields. */
  readKey(json: Buffer, depth: number, key: Span): void {
    if (depth === 1) {
      this.keys.push(key);
      this.field = readFieldName(json, key);
    } else this.#isAtFallbackModel = readFieldName(json, key) === "model";
  }

  readString(depth: number, start: number, end: number): void {
    if (depth === 1 && this.field === "model") this.model = { start, end };
    else if (depth === 2 && this.field === "models") this.models.push({ start, end });
    else if (depth === FALLBACK_DEPTH && this.#isAtFallbackModel) this.fallbackModels.push({ start, end });
  }

  endField(depth: number): void {
    if (depth === 1) this.field = "";
    this.#isAtFallbackModel = false;
  }
}

const MARKS = [QUOTE, COLON, COMMA, OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET];
const IS_MARK = new Uint8Array(256);
for (const mark of MARKS) IS_MARK[mark] = 1;

/** Finds marks: brackets, quotes, colons and commas. It skips long numbers and white space with native searches. */
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
    // Checks four bytes per iteration, because the pass spends most of its time in this loop.
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

/** Searches forward for one byte. It remembers the last match, so all its searches together read the text only once. */
class ByteSearch {
  readonly #json: Buffer;
  readonly #byte: number;
  #found = -1;

  constructor(json: Buffer, byte: number) {
    this.#json = json;
    this.#byte = byte;
  }

  /** @param from never decreases between calls. @returns the first position at or after `from`, or the length of the text. */
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

/** Returns the decoded text of a JSON string. */
export function decodeJsonString(json: Buffer, { start, end }: Span): string {
  return JSON.parse(json.toString("utf8", start, end)) as string;
}

/** Returns a pattern of every JSON spelling of an ASCII text, also with escapes: `\u006dodel`. */
function toSpellingPattern(text: string): string {
  return Array.from(text)
    .map((letter) => {
      const [high = "", low = ""] = letter.charCodeAt(0).toString(16);
      return `(?:${letter}|\\\\u00${high}[${low}${low.toUpperCase()}])`;
    })
    .join("");
}

const FIELD_NAME = new RegExp(
  `^(?:(?<models>${toSpellingPattern("model")}(?<s>${toSpellingPattern("s")})?)|${toSpellingPattern("fallbacks")})$`,
);
const SHORTEST_NAME_BYTES = "model".length;
const LONGEST_NAME_BYTES = "fallbacks".length * "\\u0000".length;

/** Returns `model`, `models`, `fallbacks`, or "" for any other key. @param key span of the key with its quotes. */
function readFieldName(json: Buffer, key: Span): string {
  const length = key.end - key.start - 2;
  if (length < SHORTEST_NAME_BYTES || length > LONGEST_NAME_BYTES) return "";
  const match = FIELD_NAME.exec(json.toString("latin1", key.start + 1, key.end - 1));
  if (match === null) return "";
  if (match.groups?.["models"] === undefined) return "fallbacks";
  return match.groups["s"] === undefined ? "model" : "models";
}

/** Returns the position after the closing quote of the string at `start`, or the length of the text if it is not closed. */
function findStringEnd(json: Buffer, start: number): number {
  const { length } = json;
  let at = start + 1;
  // The run doubles whenever a native search ends at an escaped quote. Otherwise, a string that consists of escaped quotes
  // would take a native call for each of them.
  for (let run = SHORT_RUN_BYTES; ; run = Math.min(2 * run, LONG_RUN_BYTES)) {
    const near = Math.min(length, at + run);
    for (; at < near; at++) {
      const byte = json[at];
      if (byte === QUOTE) return at + 1;
      if (byte === BACKSLASH) at++;
    }
    // No backslash before `at` escapes the byte at `at`, so only the backslashes from `at` on are counted.
    const quote = json.indexOf(QUOTE, at);
    if (quote === -1) return length;
    let backslashes = 0;
    while (quote - 1 - backslashes >= at && json[quote - 1 - backslashes] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return quote + 1;
    at = quote + 1;
  }
}
