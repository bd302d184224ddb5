import { describe, expect, test } from "vitest";
import { errorBody } from "../../src/mock/errors.ts";
import { isRefusal, mayBeRefusal, REFUSAL_MAX_BYTES } from "../../src/usage/refusal-body.ts";

const JSON_TYPE = "application/json";
const judge = (body: string | Buffer, status = 400, type = JSON_TYPE): boolean =>
  isRefusal(status, type, Buffer.from(body));

describe("isRefusal", () => {
  test.each([400, 401, 402, 403, 404, 412, 413, 422, 429, 500, 502, 503, 529])(
    "accepts OpenRouter's own error of status %i",
    (status) => {
      expect(judge(errorBody(status, { userId: "user_1" }), status)).toBe(true);
    },
  );

  test.each([408, 499, 504, 522, 524])("rejects %i as a status, and as a code of another status", (code) => {
    expect(judge(errorBody(code), code)).toBe(false);
    expect(judge('{"error":{"message":"m"}}', code)).toBe(false);
    expect(judge(`{"error":{"message":"m","code":${code}}}`, 500)).toBe(false);
    expect(judge(`{"error":{"message":"m","code":"${code}"}}`, 500)).toBe(false);
  });

  test.each([
    ["whitespace around it", ' \n{"error":{"message":"m","code":400}}\r\n'],
    ["no code", '{"error":{"message":"m"}}'],
    ["a code that is text", '{"error":{"message":"m","code":"invalid_prompt"}}'],
    ["a code of null", '{"error":{"message":"m","code":null}}'],
    [
      "fields that are not known yet",
      '{"error":{"message":"m","code":400,"new":[1]},"openrouter_metadata":{}}',
    ],
    ["an escaped key", '{"\\u0065rror":{"message":"m","code":400}}'],
  ])("accepts an error with %s", (_, body) => {
    expect(judge(body)).toBe(true);
  });

  test.each([
    ["an empty body", ""],
    ["whitespace", " \n"],
    ["a page", "<html><body>400</body></html>"],
    ["text", "Bad Request"],
    ["an error that was cut off", errorBody(400).slice(0, -1)],
    ["an error followed by more", `${errorBody(400)}x`],
    ["two errors", errorBody(400).repeat(2)],
    ["an event", `data: ${errorBody(400)}\n\n`],
    ["null", "null"],
    ["a list", `[${errorBody(400)}]`],
    ["an error that is text", '{"error":"Bad Request"}'],
    ["an error that is a list", '{"error":[{"message":"m"}]}'],
    ["an error of null", '{"error":null}'],
    ["an error without a message", '{"error":{"code":400}}'],
    ["an error whose message is no text", '{"error":{"message":{},"code":400}}'],
    ["an error below another key", `{"data":${errorBody(400)}}`],
    ["somebody else's JSON", '{"message":"no Route matched with those values"}'],
    ["an error beside choices", '{"choices":[],"error":{"message":"m","code":400}}'],
    ["an error beside usage", '{"error":{"message":"m","code":400},"usage":{"cost":1}}'],
    ["an error of a generation", '{"id":"gen-1","error":{"message":"m","code":400}}'],
    ["a byte order mark", `\uFEFF${errorBody(400)}`],
  ])("rejects %s", (_, body) => {
    expect(judge(body)).toBe(false);
  });

  test.each([100, 200, 204, 299, 301, 307, 399, 600, 999])("rejects an error of status %i", (status) => {
    expect(judge(errorBody(400), status)).toBe(false);
  });

  test.each([
    "",
    "text/html",
    "text/plain",
    "text/event-stream",
    "application/jsonl",
    "application/problem+json",
  ])("rejects an error of content type %j", (type) => {
    expect(judge(errorBody(400), 400, type)).toBe(false);
  });

  test.each(["Application/JSON", "application/json; charset=utf-8", " application/json ;x=y"])(
    "accepts an error of content type %j",
    (type) => {
      expect(judge(errorBody(400), 400, type)).toBe(true);
    },
  );

  test("accepts an error with megabytes of metadata up to its limit, and rejects one above it", () => {
    expect(judge(errorBody(400, { metadataBytes: REFUSAL_MAX_BYTES - 1_000 }))).toBe(true);
    expect(judge(errorBody(400, { metadataBytes: REFUSAL_MAX_BYTES }))).toBe(false);
  });

  test("rejects deep nesting without a failure", () => {
    expect(judge(`{"error":{"message":"m","metadata":${"[".repeat(1_000_000)}`)).toBe(false);
  });
});

test("mayBeRefusal accepts a head exactly when some body could make it a refusal", () => {
  for (const status of [200, 302, 399, 400, 408, 429, 500, 524, 599, 600])
    for (const type of [JSON_TYPE, "text/html", ""])
      expect(mayBeRefusal(status, type)).toBe(judge('{"error":{"message":"m"}}', status, type));
});
