import { isAscii } from "node:buffer";

/** Maximum number of bytes that Unicode normalization produces from one byte of UTF-8, except for U+FDFA. */
const NON_ASCII_FACTOR = 6;
/** NFKC normalization of U+FDFA produces 33 bytes from 3. */
const FDFA_FACTOR = 11;
const FDFA = Buffer.from("\ufdfa");
/** Length of a `\u` escape. NFKC normalization of U+FDFA, the longest, produces less than six bytes from each of these. */
const UNICODE_ESCAPE_BYTES = 6;
/** Longer texts are measured with a simpler upper bound, because exact measuring would take longer than parsing. */
const EXACT_BYTES = 4_000_000;

const ASCII_END = 0x80;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LOWER_U = 0x75;

/** Bytes that escaping adds to a character: `<` becomes `&lt;` or `\u003c`. */
const CHARACTER_GROWS_BY = 5;
/** Bytes that escaping adds to an escaped quote: `\"` becomes `&quot;`. */
const PAIR_GROWS_BY = 4;

/** Bytes that escaping adds to each ASCII character. It adds them to a backslash only if a quote or a backslash follows. */
const GROWS_BY = new Uint8Array(256);
for (const character of "<>&'") GROWS_BY[character.charCodeAt(0)] = CHARACTER_GROWS_BY;
GROWS_BY[BACKSLASH] = PAIR_GROWS_BY;

/** Bounds of the growth of a JSON text before it reaches a model. */
interface TextSize {
  /** Maximum number of bytes that a template adds when it escapes the strings for XML, HTML, or as JSON within JSON. */
  readonly escapingBytes: number;
  /** Maximum number of bytes that Unicode normalization adds to the characters that are not ASCII. */
  readonly normalizingBytes: number;
  /**
   * Maximum number of tokens for one byte. A tokenizer that works on bytes produces at most one token for each byte, but it
   * may normalize the text first. A `\u` escape counts as a character that is not ASCII.
   */
  readonly tokensPerByte: number;
}

/** Measures a JSON text. @param json the text in UTF-8. The quotes around its strings are not counted. */
export function measureText(json: Buffer): TextSize {
  return json.length > EXACT_BYTES ? measureRoughly(json) : measureExactly(json);
}

/** Texts of up to this many bytes are small. The growth of a small ASCII text is less than `NOT_SIMPLE`. */
const SMALL_BYTES = 4_096;
const NOT_SIMPLE = 1 << 16;
/** `GROWS_BY`, with a large number for backslashes and for bytes that are not ASCII. */
const SIMPLE_GROWS_BY: Int32Array = Int32Array.from(GROWS_BY, (growth, byte) =>
  byte === BACKSLASH || byte >= ASCII_END ? NOT_SIMPLE : growth,
);

/**
 * Measures a small JSON text in less time than {@link measureText}.
 * @returns `escapingBytes`; undefined if the text is long, has a backslash or is not ASCII.
 */
export function measureSmallText(json: Buffer): number | undefined {
  const { length } = json;
  if (length > SMALL_BYTES) return undefined;
  let escapingBytes = 0;
  for (let at = 0; at < length; at++) escapingBytes += SIMPLE_GROWS_BY[json[at] as number] as number;
  return escapingBytes < NOT_SIMPLE ? escapingBytes : undefined;
}

function measureExactly(json: Buffer): TextSize {
  const { length } = json;
  let escapingBytes = 0;
  let unicodeEscapes = 0;
  let nonAsciiBytes = 0;
  for (let at = 0; at < length; at++) {
    const byte = json[at] ?? 0;
    if (byte >= ASCII_END) nonAsciiBytes++;
    const growth = GROWS_BY[byte] ?? 0;
    if (growth === 0) continue;
    if (byte === BACKSLASH) {
      const next = json[++at];
      if (next === LOWER_U) unicodeEscapes++;
      if (next !== QUOTE && next !== BACKSLASH) continue;
    }
    escapingBytes += growth;
  }
  const tokensPerByte = findTokensPerByte(json, unicodeEscapes > 0);
  const normalizingBytes =
    nonAsciiBytes * (tokensPerByte - 1) + unicodeEscapes * UNICODE_ESCAPE_BYTES * (NON_ASCII_FACTOR - 1);
  return { escapingBytes, normalizingBytes, tokensPerByte };
}

/** Returns an upper bound: counts every backslash, and assumes that a `u` after any backslash is a `\u` escape. */
function measureRoughly(json: Buffer): TextSize {
  const { length } = json;
  let escapingBytes = 0;
  let hasUnicodeEscape = false;
  for (let at = 0; at < length; at++) {
    const byte = json[at] ?? 0;
    escapingBytes += GROWS_BY[byte] ?? 0;
    if (byte === LOWER_U && json[at - 1] === BACKSLASH) hasUnicodeEscape = true;
  }
  const tokensPerByte = findTokensPerByte(json, hasUnicodeEscape);
  return { escapingBytes, normalizingBytes: (length + escapingBytes) * (tokensPerByte - 1), tokensPerByte };
}

function findTokensPerByte(json: Buffer, hasUnicodeEscape: boolean): number {
  if (isAscii(json)) return hasUnicodeEscape ? NON_ASCII_FACTOR : 1;
  return json.length > EXACT_BYTES || json.includes(FDFA) ? FDFA_FACTOR : NON_ASCII_FACTOR;
}

const SPACE = 0x20;
const TWO_BYTES_END = 0x800;
/** Maximum number of bytes that one byte of UTF-8 occupies in a JSON string, including those that further escaping adds. */
const BYTE_TOKENS: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte === QUOTE || byte === BACKSLASH) return 2 + PAIR_GROWS_BY;
  return (byte < SPACE ? 6 : 1) + (GROWS_BY[byte] ?? 0);
});
/** `BYTE_TOKENS`, including the bytes that Unicode normalization adds to characters other than U+FDFA. */
const NORMALIZED_TOKENS: Uint8Array = BYTE_TOKENS.map((tokens, byte) =>
  byte < ASCII_END ? tokens : NON_ASCII_FACTOR,
);

/** Returns the maximum number of bytes of each byte of UTF-8 in a JSON string. */
export function getByteTokens(isNormalized: boolean): Uint8Array {
  return isNormalized ? NORMALIZED_TOKENS : BYTE_TOKENS;
}

/** JSON writes a lone surrogate as an escape of six bytes, but UTF-8 as a replacement character of three bytes. */
const ILL_FORMED_FACTOR = 2;
/** For longer texts, a copy as bytes takes less time than reading the characters. */
const SHORT_CHARACTERS = 1_024;

/** Bytes of line breaks. The last one is the first byte of U+2028 and U+2029, and of some other punctuation. */
const BREAKS_LINE = new Uint8Array(256);
for (const byte of [0x0a, 0x0d, 0xe2]) BREAKS_LINE[byte] = 1;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const LINE_SEPARATOR = 0x2028;
const PARAGRAPH_SEPARATOR = 0x2029;

/** Returns an upper bound of the number of line breaks in a text. */
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

/** Whether the character at this position is a line break. In CRLF, the carriage return counts and the line feed does not. */
function breaksLineAt(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  if (unit === LINE_FEED) return text.charCodeAt(at - 1) !== CARRIAGE_RETURN;
  return unit === CARRIAGE_RETURN || unit === LINE_SEPARATOR || unit === PARAGRAPH_SEPARATOR;
}

/**
 * Bounds the tokens of a text that is printed as JSON, XML or HTML.
 * @param isNormalized whether to include the bytes that Unicode normalization adds.
 * @returns the number of bytes of the JSON string, including those that further escaping adds.
 */
export function boundTextTokens(text: string, isNormalized: boolean): number {
  const byteTokens = getByteTokens(isNormalized);
  let tokens = 2;
  if (text.length > SHORT_CHARACTERS) {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at++) tokens += byteTokens[bytes[at] ?? 0] ?? 0;
  } else {
    const nonAsciiFactor = isNormalized ? NON_ASCII_FACTOR : 1;
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      if (unit < ASCII_END) tokens += byteTokens[unit] ?? 0;
      else tokens += nonAsciiFactor * (unit < TWO_BYTES_END ? 2 : 3);
    }
  }
  return tokens * findTextFactor(text, isNormalized);
}

/** U+FDFA produces 33 bytes, which is less than twice the number for any other character. */
const FDFA_TEXT_FACTOR = 2;

/** Returns the factor by which a text that is ill-formed, or has U+FDFA, can exceed the sum of its byte tokens. */
export function findTextFactor(text: string, isNormalized: boolean): number {
  const factor = text.isWellFormed() ? 1 : ILL_FORMED_FACTOR;
  return isNormalized && text.includes("\ufdfa") ? factor * FDFA_TEXT_FACTOR : factor;
}
