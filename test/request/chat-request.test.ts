import { expect, test } from "vitest";
import { readChatRequest } from "../../src/request/chat-request.ts";
import { expectRefusal } from "../support/expect-refusal.ts";

const VALID = { model: "openai/gpt-4o-mini", messages: [{ role: "user", content: "hi" }] };
/** Value of fields in rejected bodies. No error response may contain it. */
const SECRET = "5ecret-va1ue";

const withFields = (fields: object): string => JSON.stringify({ ...VALID, ...fields });
const nested = (open: number): string => {
  const around = open - 1;
  return `{"model":"a/b","messages":[{"role":"user"}],"x":${"[".repeat(around)}${"]".repeat(around)}}`;
};

test.each<[what: string, code: string, body: string | Uint8Array]>([
  ["nothing", "invalid_json", ""],
  ["white space", "invalid_json", " \n "],
  ["an array", "invalid_json", JSON.stringify([VALID])],
  ["null", "invalid_json", "null"],
  ["a string", "invalid_json", `"${SECRET}"`],
  ["a number", "invalid_json", "7"],
  ["a truncated object", "invalid_json", withFields({ user: SECRET }).slice(0, -1)],
  ["two objects", "invalid_json", `${withFields({ user: SECRET })}{}`],
  ["a trailing comma", "invalid_json", `{"user":"${SECRET}",}`],
  ["a comment", "invalid_json", `{/*${SECRET}*/}`],
  ["a bare word", "invalid_json", `{"user":${SECRET}}`],
  ["a raw line feed in a string", "invalid_json", `{"user":"${SECRET}\n"}`],
  ["a wrong escape in a key", "invalid_json", `{"mod\\u00zz":"${SECRET}"}`],
  ["a byte order mark", "invalid_json", `\ufeff${withFields({ user: SECRET })}`],
  ["UTF-16", "invalid_utf8", Buffer.from(`\ufeff${withFields({})}`, "utf16le")],
  ["Latin-1", "invalid_utf8", Buffer.from(withFields({ user: `${SECRET}é` }), "latin1")],
  ["half a character", "invalid_utf8", Buffer.from(withFields({ user: "é" })).subarray(0, -3)],
  [
    "a surrogate in UTF-8",
    "invalid_utf8",
    Buffer.concat([Buffer.from('{"a":"'), Buffer.of(0xed, 0xa0, 0x80), Buffer.from('"}')]),
  ],
  ["513 open brackets", "json_too_deep", nested(513)],
  ["100,000 open brackets", "json_too_deep", "[".repeat(100_000)],
])("rejects the body (%s) with the code %s", (_, code, body) => {
  const error = expectRefusal(body);
  expect({ status: error.status, type: error.type, code: error.code, param: error.param }).toEqual({
    status: 400,
    type: "invalid_request_error",
    code,
    param: null,
  });
  expect(error.toJson()).not.toContain(SECRET);
});

test.each([
  ["user", `{"user":"${SECRET}","user":"y"}`],
  ["model", `{"model":"a/b","\\u006dodel":"${SECRET}"}`],
  ["model", `{"messages":[],"mo\\u0064el":"a/b","x":{"model":"y"},"model":"${SECRET}"}`],
  ["__proto__", `{"__proto__":"${SECRET}","__proto__":1}`],
  ["", `{"":"${SECRET}","":1}`],
  ["\ud800", `{"\\ud800":"${SECRET}","\\uD800":1}`],
  ["k".repeat(64), `{"${"k".repeat(5_000)}":"${SECRET}","${"k".repeat(5_000)}":1}`],
])("rejects a body that repeats the key %j", (param, body) => {
  const error = expectRefusal(body);
  expect([error.status, error.code, error.param]).toEqual([400, "duplicate_field", param]);
  expect(error.toJson()).not.toContain(SECRET);
});

test("accepts repeated keys below the top level, which the gateway does not read", () => {
  const body = '{"model":"a/b","messages":[{"role":"user","role":"user"}],"x":{"model":1,"model":2}}';
  expect(readChatRequest(Buffer.from(body)).body.toString()).toBe(body);
});

test("names the invisible byte order mark in the error message", () => {
  expect(expectRefusal(`\ufeff${withFields({})}`).message).toContain("byte order mark");
});

test("accepts 512 open brackets", () => {
  expect(readChatRequest(Buffer.from(nested(512))).body.toString()).toBe(nested(512));
});

test("sends one small error for 20,000 invalid messages, and for one invalid part after 19,999 valid parts", () => {
  const messages = Array.from({ length: 20_000 }, () => ({ role: 7, content: { [SECRET]: 1 } }));
  expect(expectRefusal(withFields({ messages })).toJson().length).toBeLessThan(300);
  const content: unknown[] = Array.from({ length: 20_000 }, () => ({ type: "text", text: SECRET }));
  content[19_999] = SECRET;
  const error = expectRefusal(withFields({ messages: [{ role: "user", content }] }));
  expect([error.code, error.param]).toEqual(["invalid_type", "messages[0].content[19999]"]);
  expect(error.toJson()).not.toContain(SECRET);
});

const TOOL_SCHEMA =
  '{"type":"object","properties":{"__proto__":{"polluted":true}},"__proto__":{"polluted":true}}';

test("accepts a tool schema with __proto__ and does not change Object.prototype", () => {
  const before = Object.getOwnPropertyNames(Object.prototype);
  const definition = `{"name":"f","parameters":${TOOL_SCHEMA},"__proto__":{"name":1}}`;
  const body = `{"model":"a/b","__proto__":{"stream":true},"messages":[{"role":"user","__proto__":{"content":7}}],"tools":[{"type":"function","function":${definition},"constructor":{"prototype":{"polluted":1}}}]}`;
  const request = readChatRequest(Buffer.from(body));
  expect(request.body.toString()).toBe(body);
  expect(request.stream).toBe(false);
  expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
  expect("polluted" in {}).toBe(false);
});

test("ignores a model inside __proto__", () => {
  const error = expectRefusal('{"__proto__":{"model":"a/b"},"messages":[{"role":"user"}]}');
  expect([error.code, error.param]).toEqual(["missing_required_parameter", "model"]);
});
