import { COMMENT_MARK_TOKENS, INDENT_TOKENS, MAX_DEPTH, NODE_TOKENS } from "./rendering-tokens.ts";
import { findTextFactor, getByteTokens } from "./text-size.ts";

/** Maximum length of a number that JavaScript prints. The JSON text may have a shorter form, such as `1e20`. */
const NUMBER_TOKENS = 25;
/** Maximum number of tokens of the character of a `\u` escape: those of U+FDFA after Unicode normalization. */
const UNICODE_ESCAPE_TOKENS = 33;
const LOWER_U = 0x75;
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
/** First byte in UTF-8 of U+2028 and U+2029, and of some other punctuation. */
const LINE_SEPARATOR = 0xe2;

const IS_MARK = new Uint8Array(256);
for (const mark of [
  QUOTE,
  COMMA,
  OPEN_BRACKET,
  BACKSLASH,
  CLOSE_BRACKET,
  OPEN_BRACE,
  CLOSE_BRACE,
  LINE_SEPARATOR,
])
  IS_MARK[mark] = 1;

/**
 * Bounds the tokens of a JSON text that a provider may parse and print again. The bound is at least that of
 * `boundRenderedTokens` for the parsed value. This function does not parse the text, because parsing can take too long: the
 * text is one string in the body, so the limit on the number of values in a body does not count the values in the text.
 * @param isNormalized whether to include the bytes that Unicode normalization adds.
 * @returns the number of tokens; undefined if the nesting exceeds 600 levels.
 */
export function boundReserializedTokens(json: string, isNormalized: boolean): number | undefined {
  const byteTokens = getByteTokens(isNormalized);
  const bytes = Buffer.from(json);
  const { length } = bytes;
  let tokens = 2;
  let values = 1;
  let breaks = 0;
  let depth = 0;
  let deepest = 0;
  let isInString = false;
  for (let at = 0; at < length; at++) {
    const byte = bytes[at] ?? 0;
    tokens += byteTokens[byte] ?? 0;
    if (IS_MARK[byte] === 0) continue;
    if (byte === BACKSLASH) {
      // Any escape may be a line break.
      breaks++;
      const next = bytes[++at] ?? 0;
      tokens += isNormalized && next === LOWER_U ? UNICODE_ESCAPE_TOKENS : (byteTokens[next] ?? 0);
    } else if (byte === QUOTE) isInString = !isInString;
    else if (byte === LINE_SEPARATOR) breaks++;
    else if (isInString) continue;
    else if (byte === COMMA) values++;
    else if (byte === CLOSE_BRACKET || byte === CLOSE_BRACE) depth--;
    else {
      values++;
      if (++depth > MAX_DEPTH) return undefined;
      if (depth > deepest) deepest = depth;
    }
  }
  const texts = 2 * tokens * findTextFactor(json, isNormalized);
  const lines = 3 * values + breaks;
  const own =
    values * (NODE_TOKENS + NUMBER_TOKENS) + (values + breaks) * (INDENT_TOKENS + COMMENT_MARK_TOKENS);
  return texts + own + lines * INDENT_TOKENS * (deepest + 1);
}
