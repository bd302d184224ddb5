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

/** How many brackets may be open at once. Deep nesting overflows the stack of recursive readers further on. */
const MAX_DEPTH = 512;
/**
 * Bounds what `JSON.parse` may cost before it runs. The slowest text that was found, objects of 100 keys each of which
 * comes once, takes it 0.95 us a value (Node 26.10, one core), so 100,000 values are about 100 ms; a million empty objects
 * per 100 ms are possible too, but nothing tells them apart as cheaply. The largest recorded request, Claude Code with 29
 * tools, has 800 values, and a conversation of 2,000 messages with calls of tools some 30,000.
 *
 * V8 seeds the hash of keys that are array indices, so 60,000 of them take 20 ms whichever they are. The bounds on fields
 * hold where it does not: 10,000 keys that all collide are 50 million comparisons. Recorded objects have up to 12 fields.
 */
const LIMITS: SizeLimits = { values: 100_000, topLevelFields: 1_000, fields: 10_000 };
const TOO_COMPLEX: Readonly<Record<keyof SizeLimits, string>> = {
  values: `The request body has more than ${LIMITS.values} values.`,
  topLevelFields: `The request body has more than ${LIMITS.topLevelFields} top-level fields.`,
  fields: `An object in the request body has more than ${LIMITS.fields} fields.`,
};
const BYTE_ORDER_MARK = 0xef;

/** A JSON object parsed to be looked at, and where its top-level fields stand in the bytes that will be forwarded. */
interface ParsedJsonObject {
  readonly value: JsonObject;
  readonly fields: TopLevelFields;
}

/**
 * Parses a request body that must be one JSON object.
 *
 * Refused although `JSON.parse` would take them: invalid UTF-8 (it would be replaced in silence) and duplicate top-level
 * keys (upstream may keep the first where we keep the last, and every check here would be about the wrong one).
 * @throws GatewayError 400 invalid_json, invalid_utf8, duplicate_field, json_too_deep or json_too_complex.
 */
export function parseJsonObject(body: Buffer): ParsedJsonObject {
  if (body.length === 0)
    throw new GatewayError("invalid_json", "The request body is empty; send a JSON object.");
  if (!isUtf8(body)) throw new GatewayError("invalid_utf8");
  if (body[0] === BYTE_ORDER_MARK && body[1] === 0xbb && body[2] === 0xbf) {
    throw new GatewayError(
      "invalid_json",
      "The request body starts with a byte order mark; send JSON without one.",
    );
  }
  const fields = findTopLevelFields(body, MAX_DEPTH, LIMITS);
  if (fields.isTooDeep) {
    throw new GatewayError(
      "json_too_deep",
      `The request body nests objects and arrays more than ${MAX_DEPTH} levels deep.`,
    );
  }
  if (fields.exceededLimit) throw new GatewayError("json_too_complex", TOO_COMPLEX[fields.exceededLimit]);
  const value = parseText(body, fields.escapedKeys);
  if (!isJsonObject(value)) throw new GatewayError("invalid_json", "The request body must be a JSON object.");
  // JSON.parse keeps one of each key, so fewer keys than were seen means that one came twice.
  if (Object.keys(value).length !== fields.keys.length) throw createDuplicateFieldError(body, fields);
  return { value, fields };
}

/**
 * The text of a body, with the ASCII characters of its keys decoded. V8 14 can take a key that is written with escapes, such
 * as `"\u006dodel"`, for another key that an earlier text had in the same place, so that a field is hidden from every check
 * here and read by upstream. Strings that are values are parsed correctly, and most bodies have no escaped key.
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

/** Runs of bytes up to this long are copied here; beyond it the native copy is faster than its call costs. */
const SHORT_RUN_BYTES = 64;

/** Decodes `\u0020` to `\u007f` but for quotes and backslashes in a JSON string, and fills up with blanks behind it. */
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
    // What an escaped backslash is followed by is no escape.
    if (code === undefined) json[to++] = json[from + 1] ?? SPACE;
    from += code === undefined ? 2 : 6;
  }
  while (to < end) json[to++] = SPACE;
}

/** The character that `\u00xx` stands for; undefined unless it may be written without an escape. */
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
