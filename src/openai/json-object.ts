import { isUtf8 } from "node:buffer";
import { GatewayError } from "../errors.ts";
import { decodeString, findTopLevelFields, type TopLevelFields } from "./top-level-fields.ts";

/** How many brackets may be open at once. Deep nesting overflows the stack of recursive readers further on. */
const MAX_DEPTH = 512;
/**
 * How many commas and opening brackets a body may have: fifty times those of a conversation with 2,000 messages. Without
 * a bound, 64 MiB of `{},{},` would hold the process for ten seconds and take gigabytes.
 */
const MAX_MARKS = 1_000_000;
const BYTE_ORDER_MARK = 0xef;

/** A JSON object parsed to be looked at, and where its top-level fields stand in the bytes that will be forwarded. */
export interface JsonObject {
  readonly value: Readonly<Record<string, unknown>>;
  readonly fields: TopLevelFields;
}

/**
 * Parses a request body that must be one JSON object.
 *
 * Refused although `JSON.parse` would take them: invalid UTF-8 (it would be replaced in silence) and duplicate top-level
 * keys (upstream may keep the first where we keep the last, and every check here would be about the wrong one).
 * @throws GatewayError 400 invalid_json, invalid_utf8, duplicate_field or json_too_deep.
 */
export function parseJsonObject(body: Buffer): JsonObject {
  if (body.length === 0)
    throw new GatewayError("invalid_json", "The request body is empty; send a JSON object.");
  if (!isUtf8(body)) throw new GatewayError("invalid_utf8", "The request body is not valid UTF-8.");
  if (body[0] === BYTE_ORDER_MARK && body[1] === 0xbb && body[2] === 0xbf) {
    throw new GatewayError(
      "invalid_json",
      "The request body starts with a byte order mark; send JSON without one.",
    );
  }
  const fields = findTopLevelFields(body, MAX_DEPTH, MAX_MARKS);
  if (fields.tooDeep) {
    throw new GatewayError(
      "json_too_deep",
      `The request body nests objects and arrays more than ${MAX_DEPTH} levels deep.`,
    );
  }
  if (fields.tooComplex) {
    throw new GatewayError("json_too_complex", `The request body has more than ${MAX_MARKS} values.`);
  }
  const value = parse(body);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new GatewayError("invalid_json", "The request body must be a JSON object.");
  }
  // JSON.parse keeps one of each key, so fewer keys than were seen means that one came twice.
  if (Object.keys(value).length !== fields.keys.length) throw duplicateField(body, fields);
  return { value: value as Readonly<Record<string, unknown>>, fields };
}

/**
 * Parses JSON text of a client as `JSON.parse` does, but for a fault of V8 14: it can take a key that is written with escapes,
 * such as `"\u006dodel"`, for another key that an earlier text had in the same place, so that a field is hidden from every
 * check here and read by upstream. So escapes of ASCII characters are decoded first.
 * @throws SyntaxError as `JSON.parse` does.
 */
export function parseJson(text: string): unknown {
  return JSON.parse(text.includes("\\u00") ? text.replaceAll(ESCAPE, decodeAscii) : text);
}

/** Any escape, so that the second half of an escaped backslash is not taken for the beginning of one. */
const ESCAPE = /\\(?:u00([2-7][0-9a-fA-F])|.)/gs;

/** Quotes, backslashes and DEL stay escaped. */
function decodeAscii(escape: string, hex: string | undefined): string {
  if (hex === undefined) return escape;
  const char = String.fromCharCode(Number.parseInt(hex, 16));
  return char === '"' || char === "\\" || char === "\u007f" ? escape : char;
}

function parse(body: Buffer): unknown {
  try {
    return parseJson(body.toString());
  } catch {
    // The parser's own message quotes the body, which must not be echoed or logged.
    throw new GatewayError("invalid_json", "The request body is not valid JSON.");
  }
}

function duplicateField(body: Buffer, fields: TopLevelFields): GatewayError {
  const seen = new Set<string>();
  for (const span of fields.keys) {
    const key = decodeString(body, span);
    if (seen.has(key)) {
      const param = key.slice(0, 64);
      return new GatewayError(
        "duplicate_field",
        "The request body has a field more than once; send each field once.",
        { param },
      );
    }
    seen.add(key);
  }
  throw new Error("the top-level keys of the body were miscounted");
}
