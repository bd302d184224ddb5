import { isAscii } from "node:buffer";

/** No Unicode normalisation makes more of a byte of UTF-8, but for that of U+FDFA. */
const NON_ASCII_FACTOR = 6;
/** The three bytes of U+FDFA become 33 when a tokenizer normalises its text by NFKC. */
const FDFA_FACTOR = 11;
const FDFA = Buffer.from("\ufdfa");
/** A longer body is not searched for U+FDFA: the search takes 2 ns a byte where its first bytes are frequent. */
const SEARCHED_BYTES = 4_000_000;

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
export interface TextSize {
  /** How many bytes a template can add to its texts by escaping them for XML, HTML, or as JSON within JSON. */
  readonly escapingBytes: number;
  /**
   * The most tokens that a byte of it can become. A tokenizer that works on bytes makes at most one of each, but may first
   * normalise the text; a `\u` escape counts as a character that is not ASCII.
   */
  readonly tokensPerByte: number;
}

/** @param json a JSON text in UTF-8; the quotes around its strings do not count as text. */
export function textSize(json: Buffer): TextSize {
  const { length } = json;
  let escapingBytes = 0;
  let hasUnicodeEscape = false;
  for (let at = 0; at < length; at++) {
    // Most bytes are passed in this loop, which does nothing else.
    while (at < length && GROWS_BY[json[at] ?? 0] === 0) at++;
    const byte = json[at] ?? 0;
    const growth = GROWS_BY[byte] ?? 0;
    if (byte === BACKSLASH) {
      const next = json[++at];
      if (next === LOWER_U) hasUnicodeEscape = true;
      if (next !== QUOTE && next !== BACKSLASH) continue;
    }
    escapingBytes += growth;
  }
  return { escapingBytes, tokensPerByte: factorOf(json, hasUnicodeEscape) };
}

function factorOf(json: Buffer, hasUnicodeEscape: boolean): number {
  if (isAscii(json)) return hasUnicodeEscape ? NON_ASCII_FACTOR : 1;
  return json.length > SEARCHED_BYTES || json.includes(FDFA) ? FDFA_FACTOR : NON_ASCII_FACTOR;
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

/**
 * Bounds the tokens of a text that is printed as JSON, XML or HTML, if no Unicode normalisation makes more of it.
 * @returns the bytes of a JSON string, and what escaping adds.
 */
export function textTokens(text: string): number {
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
