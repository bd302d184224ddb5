import { isAscii } from "node:buffer";

/** No Unicode normalisation makes more of a byte of UTF-8, but for that of U+FDFA. */
const NON_ASCII_FACTOR = 6;
/** The three bytes of U+FDFA become 33 when a tokenizer normalises its text by NFKC. */
const FDFA_FACTOR = 11;
const FDFA = Buffer.from("\ufdfa");

/**
 * The most tokens a byte of a JSON text can become. A tokenizer that works on bytes makes at most one of each, but may
 * first normalise the text.
 * @param body JSON in UTF-8; a `\u` escape in it counts as a character that is not ASCII.
 */
export function tokensPerByte(body: Buffer): number {
  if (isAscii(body) && !body.includes("\\u")) return 1;
  return body.includes(FDFA) ? FDFA_FACTOR : NON_ASCII_FACTOR;
}

const QUOTE = 0x22;
const AMPERSAND = 0x26;
const APOSTROPHE = 0x27;
const LESS_THAN = 0x3c;
const GREATER_THAN = 0x3e;
const BACKSLASH = 0x5c;

/** `<` becomes `&lt;` or `\u003c`. */
const CHARACTER_GROWS_BY = 5;
/** `\"` becomes `&quot;`. */
const PAIR_GROWS_BY = 4;

/**
 * How many bytes a template can add to texts by escaping them for XML, HTML, or as JSON within JSON.
 * @param json a JSON text; the quotes around its strings do not count.
 */
export function escapingBytes(json: Buffer): number {
  let bytes = 0;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte === LESS_THAN || byte === GREATER_THAN || byte === AMPERSAND || byte === APOSTROPHE)
      bytes += CHARACTER_GROWS_BY;
    if (byte !== BACKSLASH) continue;
    at++;
    if (json[at] === QUOTE || json[at] === BACKSLASH) bytes += PAIR_GROWS_BY;
  }
  return bytes;
}
