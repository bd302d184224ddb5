import { isAscii } from "node:buffer";

/** No Unicode normalisation makes more of a byte of UTF-8, but for that of U+FDFA. */
const NON_ASCII_FACTOR = 6;
/** The three bytes of U+FDFA become 33 when a tokenizer normalises its text by NFKC. */
const FDFA_FACTOR = 11;
const FDFA = Buffer.from("\ufdfa");
/** A longer text is measured roughly, never too low: several looks at each byte would take longer than parsing it. */
const EXACT_BYTES = 4_000_000;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LOWER_U = 0x75;

/** `<` becomes `&lt;` or `\u003c`. */
const CHARACTER_GROWS_BY = 5;
/** `\"` becomes `&quot;`. */
const PAIR_GROWS_BY = 4;

/** By how many bytes escaping makes an ASCII character longer; of a backslash, the character behind it decides. */
const GROWS_BY = new Uint8Array(256);
for (const character of "<>&'") GROWS_BY[character.charCodeAt(0)] = CHARACTER_GROWS_BY;
GROWS_BY[BACKSLASH] = PAIR_GROWS_BY;

/** What a JSON text can become on its way to a model. */
interface TextSize {
  /** How many bytes a template can add to its texts by escaping them for XML, HTML, or as JSON within JSON. */
  readonly escapingBytes: number;
  /**
   * The most tokens that a byte of it can become. A tokenizer that works on bytes makes at most one of each, but may first
   * normalise the text; a `\u` escape counts as a character that is not ASCII.
   */
  readonly tokensPerByte: number;
}

/** @param json a JSON text in UTF-8; the quotes around its strings do not count as text. */
export function measureText(json: Buffer): TextSize {
  return json.length > EXACT_BYTES ? measureRoughly(json) : measureExactly(json);
}

function measureExactly(json: Buffer): TextSize {
  const { length } = json;
  let escapingBytes = 0;
  let hasUnicodeEscape = false;
  for (let at = 0; at < length; at++) {
    const byte = json[at] ?? 0;
    const growth = GROWS_BY[byte] ?? 0;
    if (growth === 0) continue;
    if (byte === BACKSLASH) {
      const next = json[++at];
      if (next === LOWER_U) hasUnicodeEscape = true;
      if (next !== QUOTE && next !== BACKSLASH) continue;
    }
    escapingBytes += growth;
  }
  return { escapingBytes, tokensPerByte: findTokensPerByte(json, hasUnicodeEscape) };
}

/** Counts every backslash, and takes a `u` behind any of them for an escape. */
function measureRoughly(json: Buffer): TextSize {
  const { length } = json;
  let escapingBytes = 0;
  let hasUnicodeEscape = false;
  for (let at = 0; at < length; at++) {
    const byte = json[at] ?? 0;
    escapingBytes += GROWS_BY[byte] ?? 0;
    if (byte === LOWER_U && json[at - 1] === BACKSLASH) hasUnicodeEscape = true;
  }
  return { escapingBytes, tokensPerByte: findTokensPerByte(json, hasUnicodeEscape) };
}

function findTokensPerByte(json: Buffer, hasUnicodeEscape: boolean): number {
  if (isAscii(json)) return hasUnicodeEscape ? NON_ASCII_FACTOR : 1;
  return json.length > EXACT_BYTES || json.includes(FDFA) ? FDFA_FACTOR : NON_ASCII_FACTOR;
}

const SPACE = 0x20;
const ASCII_END = 0x80;
const TWO_BYTES_END = 0x800;
/** For each byte of UTF-8 its bytes in a JSON string, and what escaping it adds. */
export const BYTE_TOKENS: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte === QUOTE || byte === BACKSLASH) return 2 + PAIR_GROWS_BY;
  return (byte < SPACE ? 6 : 1) + (GROWS_BY[byte] ?? 0);
});
/** JSON escapes the half of a pair with six bytes, and UTF-8 has three bytes for what replaces it. */
export const ILL_FORMED_FACTOR = 2;
/** Beyond this, reading bytes saves more time than the copy takes. */
const SHORT_CHARACTERS = 1_024;

/** Line breaks, and the first byte of U+2028 and U+2029, which some other punctuation has too. */
const BREAKS_LINE = new Uint8Array(256);
for (const byte of [0x0a, 0x0d, 0xe2]) BREAKS_LINE[byte] = 1;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const LINE_SEPARATOR = 0x2028;
const PARAGRAPH_SEPARATOR = 0x2029;

/** How many line breaks a text has at most. */
export function countLineBreaks(text: string): number {
  let breaks = 0;
  if (text.length <= SHORT_CHARACTERS) {
    for (let at = 0; at < text.length; at++) if (breaksLineAt(text, at)) breaks++;
    return breaks;
  }
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at++) breaks += BREAKS_LINE[bytes[at] ?? 0] ?? 0;
  return breaks;
}

/** Whether a line break ends at this position or, if it is a carriage return and a line feed, begins there. */
function breaksLineAt(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  if (unit === LINE_FEED) return text.charCodeAt(at - 1) !== CARRIAGE_RETURN;
  return unit === CARRIAGE_RETURN || unit === LINE_SEPARATOR || unit === PARAGRAPH_SEPARATOR;
}

/**
 * Bounds the tokens of a text that is printed as JSON, XML or HTML, if no Unicode normalisation makes more of it.
 * @returns the bytes of a JSON string, and what escaping adds.
 */
export function boundTextTokens(text: string): number {
  let tokens = 2;
  if (text.length > SHORT_CHARACTERS) {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at++) tokens += BYTE_TOKENS[bytes[at] ?? 0] ?? 0;
  } else
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      if (unit < ASCII_END) tokens += BYTE_TOKENS[unit] ?? 0;
      else tokens += unit < TWO_BYTES_END ? 2 : 3;
    }
  return text.isWellFormed() ? tokens : tokens * ILL_FORMED_FACTOR;
}
