import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cutIntoPieces } from "../support/inspect-response.ts";
import { formatError } from "../../tools/simulator/errors.ts";
import { mayBeRefusal, REFUSAL_MAX_BYTES, RefusalReader } from "../../src/response/refusal-body.ts";

const JSON_TYPE = "application/json";

/** Reference implementation that reads the whole document. */
function isRefusalDocument(body: unknown): boolean {
  const isObject = (value: unknown): value is Record<string, unknown> =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isObject(body) || !isObject(body["error"])) return false;
  if (["id", "choices", "output", "content", "data", "results", "usage"].some((field) => field in body))
    return false;
  const { message, code } = body["error"];
  return typeof message === "string" && ![408, 499, 504, 522, 524].includes(Number(code));
}

function isReadAsRefusal(body: string | Buffer, status = 400, type = JSON_TYPE): boolean {
  const reader = new RefusalReader();
  reader.push(Buffer.from(body as string));
  return mayBeRefusal(status, type) && reader.isRefusal;
}

describe("RefusalReader", () => {
  test.each([400, 401, 402, 403, 404, 412, 413, 422, 429, 500, 502, 503, 529])(
    "accepts OpenRouter's own error of status %i",
    (status) => {
      expect(isReadAsRefusal(formatError(status, { userId: "user_1" }), status)).toBe(true);
    },
  );

  test.each([408, 499, 504, 522, 524])(
    "rejects an error that has %i as its status or as its code",
    (code) => {
      expect(isReadAsRefusal(formatError(code), code)).toBe(false);
      expect(isReadAsRefusal('{"error":{"message":"m"}}', code)).toBe(false);
      expect(isReadAsRefusal(`{"error":{"message":"m","code":${code}}}`, 500)).toBe(false);
      expect(isReadAsRefusal(`{"error":{"message":"m","code":"${code}"}}`, 500)).toBe(false);
    },
  );

  test.each([
    ["whitespace around it", ' \n{"error":{"message":"m","code":400}}\r\n'],
    ["no code", '{"error":{"message":"m"}}'],
    ["a code that is a string", '{"error":{"message":"m","code":"invalid_prompt"}}'],
    ["a code of null", '{"error":{"message":"m","code":null}}'],
    ["unknown fields", '{"error":{"message":"m","code":400,"new":[1]},"openrouter_metadata":{}}'],
    ["Anthropic's form", '{"type":"error","error":{"type":"api_error","message":"m"},"request_id":"r"}'],
    ["an escaped key", '{"\\u0065rror":{"message":"m","code":400}}'],
  ])("accepts an error with %s", (_, body) => {
    expect(isReadAsRefusal(body)).toBe(true);
  });

  test.each([
    ["an empty body", ""],
    ["whitespace", " \n"],
    ["a page", "<html><body>400</body></html>"],
    ["text", "Bad Request"],
    ["a truncated error", formatError(400).slice(0, -1)],
    ["an error followed by more", `${formatError(400)}x`],
    ["two errors", formatError(400).repeat(2)],
    ["an event", `data: ${formatError(400)}\n\n`],
    ["null", "null"],
    ["a list", `[${formatError(400)}]`],
    ["an error that is a string", '{"error":"Bad Request"}'],
    ["an error that is a list", '{"error":[{"message":"m"}]}'],
    ["an error of null", '{"error":null}'],
    ["an error without a message", '{"error":{"code":400}}'],
    ["an error whose message is not a string", '{"error":{"message":{},"code":400}}'],
    ["an error below another key", `{"data":${formatError(400)}}`],
    ["JSON of another server", '{"message":"no Route matched with those values"}'],
    ["an error beside choices", '{"choices":[],"error":{"message":"m","code":400}}'],
    ["an error beside usage", '{"error":{"message":"m","code":400},"usage":{"cost":1}}'],
    ["an error beside the output of the Responses API", '{"output":[],"error":{"message":"m","code":400}}'],
    ["an error beside a message's content", '{"content":null,"error":{"message":"m","code":400}}'],
    ["an error beside embeddings", '{"data":[],"error":{"message":"m","code":400}}'],
    ["an error beside a ranking", '{"error":{"message":"m","code":400},"results":[]}'],
    ["an error of a generation", '{"id":"gen-1","error":{"message":"m","code":400}}'],
    ["a byte order mark", `\uFEFF${formatError(400)}`],
  ])("rejects %s", (_, body) => {
    expect(isReadAsRefusal(body)).toBe(false);
  });

  test.each([100, 200, 204, 299, 301, 307, 399, 600, 999])("rejects an error of status %i", (status) => {
    expect(isReadAsRefusal(formatError(400), status)).toBe(false);
  });

  test.each([
    "",
    "text/html",
    "text/plain",
    "text/event-stream",
    "application/jsonl",
    "application/problem+json",
  ])("rejects an error of content type %j", (type) => {
    expect(isReadAsRefusal(formatError(400), 400, type)).toBe(false);
  });

  test.each(["Application/JSON", "application/json; charset=utf-8", " application/json ;x=y"])(
    "accepts an error of content type %j",
    (type) => {
      expect(isReadAsRefusal(formatError(400), 400, type)).toBe(true);
    },
  );

  test("accepts an error with megabytes of metadata up to its limit, and rejects one above it", () => {
    expect(isReadAsRefusal(formatError(400, { metadataBytes: REFUSAL_MAX_BYTES - 1_000 }))).toBe(true);
    expect(isReadAsRefusal(formatError(400, { metadataBytes: REFUSAL_MAX_BYTES }))).toBe(false);
  });

  test("decides like a parser of the whole body, for any split into chunks", () => {
    const text = fc.constantFrom("m", "", "x".repeat(2_000), '"}],{[', "\\", "504", "é", "error");
    const code = fc.oneof(fc.constantFrom(400, 504, "504", "522", null, 1e3), text);
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        text,
        code,
        fc.array(tie("value"), { maxLength: 3 }),
        fc.dictionary(text, tie("value"), { maxKeys: 3 }),
      ),
    }));
    const error = fc.oneof(value, fc.record({ message: fc.oneof(text, value), code, metadata: value }));
    const document = fc.oneof(
      value,
      fc.record({ error, user_id: value }),
      fc.record(
        { error, user_id: value, id: value, output: value, content: value, data: value, results: value },
        { requiredKeys: ["error"] },
      ),
    );
    fc.assert(
      fc.property(
        document,
        fc.constantFrom(undefined, 1),
        fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1 }),
        (body, space, sizes) => {
          const reader = new RefusalReader();
          for (const piece of cutIntoPieces(Buffer.from(JSON.stringify(body, null, space)), sizes))
            reader.push(piece);
          expect(reader.isRefusal).toBe(isRefusalDocument(body));
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test.each([
    ["megabytes of metadata", `{"error":{"message":"m","metadata":{"a":[${"{},".repeat(500_000)}1]}}}`, true],
    ["a message of megabytes", `{"error":{"message":"${"x".repeat(4_000_000)}"}}`, true],
    ["megabytes of white space", `${" \n".repeat(2_000_000)}{"error":{"message":"m"}}`, true],
    ["a list of megabytes", `{"error":{"message":"m"},"list":[${"1,".repeat(1_000_000)}1]}`, true],
    ["a million members", `{"error":{"message":"m",${'"a":1,'.repeat(1_000_000)}"b":1}}`, false],
  ])("takes little memory for an error with %s", (_, body, expected) => {
    const before = process.memoryUsage().arrayBuffers;
    const readers = Array.from({ length: 50 }, () => new RefusalReader());
    const pieces = cutIntoPieces(Buffer.from(body), [65_536]);
    for (const reader of readers) for (const piece of pieces) reader.push(piece);
    expect(process.memoryUsage().arrayBuffers - before - body.length).toBeLessThan(50 * 40_000);
    expect(readers.map(({ isRefusal }) => isRefusal)).toEqual(readers.map(() => expected));
  });

  test("rejects deep nesting without an exception", () => {
    expect(isReadAsRefusal(`{"error":{"message":"m","metadata":${"[".repeat(1_000_000)}`)).toBe(false);
  });
});

test("mayBeRefusal is true exactly for the statuses and content types of a refusal", () => {
  for (const status of [200, 302, 399, 400, 408, 429, 500, 524, 599, 600])
    for (const type of [JSON_TYPE, "text/html", ""])
      expect(mayBeRefusal(status, type)).toBe(isReadAsRefusal('{"error":{"message":"m"}}', status, type));
});
