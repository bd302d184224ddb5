const KEYS = { model: Buffer.from('"model":'), provider: Buffer.from('"provider":') };
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const MAX_BYTES = 256;

/**
 * Reads which model or provider an answer says it is from. An unescaped `"model":` cannot be part of a text that a model
 * wrote.
 * @param json the beginning of a JSON answer, or the end of a stream. @param which of several to take.
 * @returns undefined when it is not there, or not whole.
 */
export function readAnsweredField(
  json: Buffer,
  field: keyof typeof KEYS,
  which: "first" | "last",
): string | undefined {
  const key = KEYS[field];
  const found = which === "first" ? json.indexOf(key) : json.lastIndexOf(key);
  if (found === -1) return undefined;
  let start = found + key.length;
  while ((json[start] ?? 0) === SPACE) start++;
  if (json[start] !== QUOTE) return undefined;
  for (let at = start + 1; at < json.length && at - start < MAX_BYTES; at++) {
    if (json[at] === BACKSLASH) at++;
    else if (json[at] === QUOTE) return parseText(json.toString("utf8", start, at + 1));
  }
  return undefined;
}

function parseText(json: string): string | undefined {
  try {
    return JSON.parse(json) as string;
  } catch {
    return undefined;
  }
}
