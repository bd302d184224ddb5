/** A half-open range of bytes. */
interface Range {
  readonly start: number;
  readonly end: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const SPACE = 0x20;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
/** First bytes of an object, an array and a string. */
const OPENINGS = [OPEN_BRACE, OPEN_BRACKET, QUOTE];

/**
 * Reads top-level members of a JSON object from its first bytes, and stops when all names are found.
 * @param start the beginning of a valid JSON object, truncated anywhere. White space may precede the object.
 * @param names names of top-level members.
 * @returns the parsed value of each name that was found; of a repeated name, the first value. The value of a truncated object,
 * array or string is undefined.
 */
export function readFirstMembers(start: Buffer, names: readonly string[]): Map<string, unknown> {
  const found = new Map<string, unknown>();
  let at = skipSpace(start, 0);
  if (start[at] !== OPEN_BRACE) return found;
  while (found.size < names.length) {
    const key = skipSpace(start, at + 1);
    if (start[key] !== QUOTE) break;
    const colon = skipSpace(start, findStringEnd(start, key));
    const value = skipSpace(start, colon + 1);
    const end = findValueEnd(start, value);
    const name = parse(start, { start: key, end: findStringEnd(start, key) });
    const isWanted = typeof name === "string" && names.includes(name) && !found.has(name);
    if (isWanted && (end !== -1 || OPENINGS.includes(start[value] ?? 0)))
      found.set(name, end === -1 ? undefined : parse(start, { start: value, end }));
    if (start[end] !== COMMA) break;
    at = end;
  }
  return found;
}

/**
 * Reads one top-level member of a JSON object from its last bytes. This function reads from right to left. It needs no earlier
 * bytes to find strings: JSON has backslashes only inside strings, and a quote inside a string has a backslash before it.
 * @param end the end of a valid, complete JSON object. White space may follow the object.
 * @param name name of a top-level member. @returns its parsed value; undefined if the member does not begin in these bytes.
 */
export function readLastMember(end: Buffer, name: string): unknown {
  let at = end.length - 1;
  while (at >= 0 && (end[at] ?? 0) <= SPACE) at--;
  if (end[at] !== CLOSE_BRACE) return undefined;
  let depth = 1;
  let valueEnd = at;
  for (at--; at >= 0; at--) {
    const byte = end[at];
    if (byte === QUOTE) {
      const open = findStringStart(end, at);
      if (open === -1) return undefined;
      const next = skipSpace(end, at + 1);
      if (depth === 1 && end[next] === COLON && parse(end, { start: open, end: at + 1 }) === name)
        return parse(end, { start: next + 1, end: valueEnd });
      at = open;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth++;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (--depth === 0) return undefined;
    } else if (byte === COMMA && depth === 1) valueEnd = at;
  }
  return undefined;
}

function parse(json: Buffer, { start, end }: Range): unknown {
  try {
    return JSON.parse(json.toString("utf8", start, end)) as unknown;
  } catch {
    return undefined;
  }
}

function skipSpace(json: Buffer, from: number): number {
  let at = from;
  while (at < json.length && (json[at] ?? 0) <= SPACE) at++;
  return at;
}

/** Returns the position of the comma or brace after the value at `start`; -1 if the bytes end before it. */
function findValueEnd(json: Buffer, start: number): number {
  let depth = 0;
  for (let at = start; at < json.length; at++) {
    const byte = json[at];
    if (byte === QUOTE) at = findStringEnd(json, at) - 1;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
    else if (depth === 0 && (byte === COMMA || byte === CLOSE_BRACE)) return at;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--;
  }
  return -1;
}

/** Returns the position after the closing quote of the string at `open`, or the length of the text if it is not closed. */
function findStringEnd(json: Buffer, open: number): number {
  for (let at = json.indexOf(QUOTE, open + 1); at !== -1; at = json.indexOf(QUOTE, at + 1))
    if (countBackslashesBefore(json, at) % 2 === 0) return at + 1;
  return json.length;
}

/** Returns the position of the opening quote of the string that ends at `close`; -1 if it may be before these bytes. */
function findStringStart(json: Buffer, close: number): number {
  for (let at = close; at > 0;) {
    at = json.lastIndexOf(QUOTE, at - 1);
    if (at === -1) return -1;
    const backslashes = countBackslashesBefore(json, at);
    // If the backslashes reach the first byte, more of them may precede it, so it is unknown whether the quote is escaped.
    if (backslashes === at) return -1;
    if (backslashes % 2 === 0) return at;
  }
  return -1;
}

function countBackslashesBefore(json: Buffer, at: number): number {
  let count = 0;
  while (at - 1 - count >= 0 && json[at - 1 - count] === BACKSLASH) count++;
  return count;
}
