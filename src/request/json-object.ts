import { isUtf8 } from "node:buffer";
import { GatewayError } from "../errors.ts";
import {
  decodeJsonString,
  findTopLevelFields,
  type SizeLimits,
  type Span,
  type TopLevelFields,
} from "./top-level-fields.ts";
import { isJsonObject, type JsonObject } from "../json-values.ts";

/** Maximum nesting depth of a body. Deeper nesting could overflow the stack in the recursive functions that read the body. */
const MAX_DEPTH = 512;
/**
 * Limits that are checked before `JSON.parse` runs, to bound its time. The slowest known text consists of objects of 100 keys
 * that all differ. It takes 0.95 us per value (Node 26.10, one core), so 100,000 values take about 100 ms. A million empty
 * objects also take 100 ms, but a limit that counts values by kind would cost more time. The largest recorded request, Claude
 * Code with 29 tools, has 800 values; a conversation of 2,000 messages with tool calls has about 30,000.
 *
 * The limits on fields bound the time for keys whose hashes collide: 10,000 such keys take 50 million comparisons. A client
 * cannot make keys collide that are array indices, because V8 seeds their hash: 60,000 of them take 20 ms. Recorded objects
 * have up to 12 fields.
 */
export const DEFAULT_LIMITS: SizeLimits = {
  values: 100_000,
  strings: 200_000,
  topLevelFields: 1_000,
  fields: 10_000,
  allFields: 100_000,
};
const TOO_COMPLEX: Readonly<Record<keyof SizeLimits, (limit: number) => string>> = {
  values: (limit) => `The request body has more than ${limit} values.`,
  strings: (limit) => `The request body has more than ${limit} strings, including the names of fields.`,
  topLevelFields: (limit) => `The request body has more than ${limit} top-level fields.`,
  fields: (limit) => `An object in the request body has more than ${limit} fields.`,
  allFields: (limit) => `The objects in the request body have more than ${limit} fields in all.`,
};
const BYTE_ORDER_MARK = 0xef;

/** A parsed JSON object, and the positions of its top-level fields in the bytes of the body. */
interface ParsedJsonObject {
  readonly value: JsonObject;
  readonly fields: TopLevelFields;
}

/**
 * Parses a request body that must be one JSON object.
 *
 * This function refuses two inputs that `JSON.parse` accepts: invalid UTF-8, which decoding would silently replace, and
 * duplicate top-level keys. `JSON.parse` keeps the last value of a duplicate key. Upstream may use the first one, and then the
 * gateway would check the wrong value.
 * @throws GatewayError 400 invalid_json, invalid_utf8, duplicate_field, json_too_deep or json_too_complex.
 */
export function parseJsonObject(body: Buffer, limits: SizeLimits = DEFAULT_LIMITS): ParsedJsonObject {
  if (body.length === 0)
    throw new GatewayError("invalid_json", "The request body is empty; send a JSON object.");
  if (!isUtf8(body)) throw new GatewayError("invalid_utf8");
  if (body[0] === BYTE_ORDER_MARK && body[1] === 0xbb && body[2] === 0xbf) {
    throw new GatewayError(
      "invalid_json",
      "The request body starts with a byte order mark; send JSON without one.",
    );
  }
  const fields = findTopLevelFields(body, MAX_DEPTH, limits);
  if (fields.isTooDeep) {
    throw new GatewayError(
      "json_too_deep",
      `The request body nests objects and arrays more than ${MAX_DEPTH} levels deep.`,
    );
  }
  const exceeded = fields.exceededLimit;
  if (exceeded) throw new GatewayError("json_too_complex", TOO_COMPLEX[exceeded](limits[exceeded]));
  const value = parseText(body, fields.escapedKeys);
  if (!isJsonObject(value)) throw new GatewayError("invalid_json", "The request body must be a JSON object.");
  // JSON.parse keeps one value of each key, so an object with fewer keys than the text has a duplicate.
  if (Object.keys(value).length !== fields.keys.length) throw createDuplicateFieldError(body, fields);
  return { value, fields };
}

/**
 * Returns the text of a body, in which the escaped ASCII characters of its keys are decoded. This avoids a bug of V8 14. V8 can
 * parse a key with escapes, such as `"\u006dodel"`, as a different key that an earlier text had at the same position. The
 * gateway would then not check the field, but upstream would read it. The bug does not affect string values, and most bodies
 * have no escaped key.
 */
function decodeKeys(body: Buffer, escapedKeys: readonly Span[]): string {
  if (escapedKeys.length === 0) return body.toString();
  const copy = Buffer.from(body);
  for (const key of escapedKeys) decodeInPlace(copy, key);
  return copy.toString();
}

const BACKSLASH = 0x5c;
const QUOTE = 0x22;
const SPACE = 0x20;

/**
 * JavaScript copies runs of up to this many bytes. The native copy is faster only for longer runs, because each call to it has
 * a fixed cost.
 */
const SHORT_RUN_BYTES = 64;

/**
 * Decodes the escapes `\u0020` to `\u007f` in a JSON string, except those of quotes and backslashes, and pads the rest of its
 * span with spaces.
 */
function decodeInPlace(json: Buffer, { start, end }: Span): void {
  let to = start;
  let from = start;
  while (from < end) {
    const near = Math.min(end, from + SHORT_RUN_BYTES);
    while (from < near && json[from] !== BACKSLASH) json[to++] = json[from++] as number;
    if (json[from] !== BACKSLASH) {
      const run = json.subarray(from, end).indexOf(BACKSLASH);
      const next = run === -1 ? end : from + run;
      json.copyWithin(to, from, next);
      to += next - from;
      from = next;
    }
    if (from === end) break;
    const code = readAsciiEscape(json, from);
    json[to++] = code ?? BACKSLASH;
    // Copies the character after the backslash too: it may be an escaped backslash, which starts no escape.
    if (code === undefined) json[to++] = json[from + 1] ?? SPACE;
    from += code === undefined ? 2 : 6;
  }
  while (to < end) json[to++] = SPACE;
}

/** Returns the code of an escaped character `\u00xx`; undefined for other escapes and for characters that JSON must escape. */
function readAsciiEscape(json: Buffer, at: number): number | undefined {
  if (json[at + 1] !== 0x75 || json[at + 2] !== 0x30 || json[at + 3] !== 0x30) return undefined;
  const high = parseHexDigit(json[at + 4]);
  const low = parseHexDigit(json[at + 5]);
  if (high === undefined || low === undefined || high < 2 || high > 7) return undefined;
  const code = high * 16 + low;
  return code === QUOTE || code === BACKSLASH ? undefined : code;
}

function parseHexDigit(byte = 0): number | undefined {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : undefined;
}

function parseText(body: Buffer, escapedKeys: readonly Span[]): unknown {
  try {
    return JSON.parse(decodeKeys(body, escapedKeys));
  } catch {
    // The parser's own message quotes the body, which must not be echoed or logged.
    throw new GatewayError("invalid_json", "The request body is not valid JSON.");
  }
}

function createDuplicateFieldError(body: Buffer, fields: TopLevelFields): GatewayError {
  const seen = new Set<string>();
  for (const span of fields.keys) {
    const key = decodeJsonString(body, span);
    if (seen.has(key)) {
      const param = key.slice(0, 64);
      return new GatewayError("duplicate_field", { param });
    }
    seen.add(key);
  }
  throw new Error("the top-level keys of the body were miscounted");
}
