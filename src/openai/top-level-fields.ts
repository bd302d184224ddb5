/** A half-open range of bytes. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** What one pass over the bytes of a JSON object finds. Positions mean something only if the text is valid JSON. */
export interface TopLevelFields {
  readonly tooDeep: boolean;
  /** There are more commas and brackets than a body may have. */
  readonly tooComplex: boolean;
  /** Spans of the keys of the outermost object, quotes included, repeats included. */
  readonly keys: readonly Span[];
  /** Span of the string that is the value of `model`, quotes included. */
  readonly model: Span | undefined;
  /** Spans of the strings in the array that is the value of `models`. */
  readonly models: readonly Span[];
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** Strings up to this long are scanned here; beyond it the native search is faster than its call costs. */
const SHORT_STRING_BYTES = 64;

/**
 * Finds the top-level keys and the model strings of a JSON object in its raw bytes, in one pass, without recursion and
 * without copying, so that bytes can be changed in place of re-serialising the object. It does not check the syntax:
 * `JSON.parse` does, and finds nothing here that it would read otherwise.
 * @param json UTF-8 text. @param maxDepth how many brackets may be open at once.
 * @param maxMarks how many commas and opening brackets there may be in all.
 */
export function findTopLevelFields(json: Buffer, maxDepth: number, maxMarks = Infinity): TopLevelFields {
  const keys: Span[] = [];
  const models: Span[] = [];
  let model: Span | undefined;
  let field = "";
  let depth = 0;
  let keyNext = false;
  let marks = 0;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte === QUOTE) {
      const end = endOfString(json, at);
      if (depth === 1 && keyNext) {
        const key = { start: at, end };
        keys.push(key);
        field = fieldName(json, key);
        keyNext = false;
      } else if (depth === 1 && field === "model") model = { start: at, end };
      else if (depth === 2 && field === "models") models.push({ start: at, end });
      at = end - 1;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      marks++;
      if (++depth > maxDepth) break;
      if (depth === 1) keyNext = byte === OPEN_BRACE;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--;
    else if (byte === COMMA) {
      if (++marks > maxMarks) break;
      if (depth === 1) keyNext = true;
    }
  }
  return { tooDeep: depth > maxDepth, tooComplex: marks > maxMarks, keys, model, models };
}

/** The text of a JSON string, escapes decoded. */
export function decodeString(json: Buffer, { start, end }: Span): string {
  return JSON.parse(json.toString("utf8", start, end)) as string;
}

/** `model`, `models`, or nothing for any other key; `"\u006dodel"` is `model` too. */
function fieldName(json: Buffer, { start, end }: Span): string {
  const raw = json.toString("latin1", start + 1, end - 1);
  if (!raw.includes("\\")) return raw === "model" || raw === "models" ? raw : "";
  try {
    return decodeString(json, { start, end });
  } catch {
    // Not a JSON string at all: JSON.parse will say so about the whole text.
    return "";
  }
}

/** Position after the closing quote of the string that opens at `start`, or the length of the text if it never closes. */
function endOfString(json: Buffer, start: number): number {
  const near = Math.min(json.length, start + SHORT_STRING_BYTES);
  let at = start + 1;
  for (; at < near; at++) {
    const byte = json[at];
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) at++;
  }
  // `at` stands at a character, never behind a backslash that escapes it: backslashes before it need not be counted.
  for (let quote = json.indexOf(QUOTE, at); quote !== -1; quote = json.indexOf(QUOTE, quote + 1)) {
    let backslashes = 0;
    while (quote - 1 - backslashes >= at && json[quote - 1 - backslashes] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return quote + 1;
  }
  return json.length;
}
