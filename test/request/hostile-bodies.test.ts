import { expect, test } from "vitest";
import { readChatRequest } from "../../src/request/chat-request.ts";
import { parseJsonObject } from "../../src/request/json-object.ts";
import { findTopLevelFields } from "../../src/request/top-level-fields.ts";
import { expectRefusal } from "../support/expect-refusal.ts";

/** Far longer than one pass over the bytes takes, and far shorter than a pass with backtracking takes. */
const DEADLINE_MS = 3_000;
const SECRET = "5ecret-va1ue";

test.each(["[", '{"x":', '{"x":[', '"]['])(
  "rejects 100,000 repetitions of %s",
  { timeout: DEADLINE_MS },
  (unit) => {
    const body = unit.repeat(100_000);
    expectRefusal(unit);
    expect(expectRefusal(body).status).toBe(400);
  },
);

test("sends one small error for 20,000 invalid parts", { timeout: DEADLINE_MS }, () => {
  const bad = { type: "text", text: { [SECRET]: SECRET } };
  const body = JSON.stringify({
    model: "a/b",
    messages: [{ role: "user", content: Array.from({ length: 20_000 }, () => bad) }],
  });
  const error = expectRefusal(body);
  expect(error.param).toBe("messages[0].content[0].text");
  expect(error.toJson().length).toBeLessThan(300);
});

test.each([
  ["escaped quotes", `{"x":"${'\\"'.repeat(1_000_000)}`],
  ["backslashes", `{"x":"${"\\".repeat(2_000_000)}`],
  ["runs of backslashes before a quote", `{"x":"${`${"\\\\".repeat(500)}\\"`.repeat(2_000)}`],
  ["empty strings", `{"x":[${'"",'.repeat(600_000)}`],
])("reads two megabytes of %s in one pass", { timeout: DEADLINE_MS }, (_, json) => {
  const bytes = Buffer.from(json);
  expect(findTopLevelFields(bytes, 512).isTooDeep).toBe(false);
});

test("rejects a body of five million values and accepts one of 90,000", { timeout: DEADLINE_MS }, () => {
  const wrap = (values: string): string => `{"model":"a/b","x":[${values}1],"messages":[{"role":"user"}]}`;
  expect(expectRefusal(wrap("{},".repeat(5_000_000))).code).toBe("json_too_complex");
  const many = Buffer.from(wrap("1,".repeat(90_000)));
  expect(readChatRequest(many).body.length).toBe(many.length);
});

test("reads a field whose name has escapes, regardless of the texts parsed before it", () => {
  // V8 can mistake the escaped key for the key that an earlier text had at the same position.
  for (const field of ["model", "models", "speed", "max_tokens"]) {
    const [first = "", ...rest] = field;
    const hex = first.charCodeAt(0).toString(16).padStart(4, "0");
    for (const escaped of [`\\u${hex}${rest.join("")}`, `\\u${hex.toUpperCase()}${rest.join("")}`]) {
      for (let length = 1; length < escaped.length; length++)
        parseJsonObject(Buffer.from(`{"messages":1,${JSON.stringify(escaped.slice(0, length))}:2}`));
      const { value } = parseJsonObject(Buffer.from(`{"messages":1,"${escaped}":"x/expensive"}`));
      expect(value[field]).toBe("x/expensive");
    }
  }
});

test.each([
  String.raw`{"a\u006d":"\u0041\\u0041"}`,
  String.raw`{"\u0022\u005c\u007f":"\u0022"}`,
  String.raw`{"a":"\/\b\u00e9\u2028\ud83d\ude00"}`,
])("parseJsonObject returns the result of JSON.parse for %s", (text) => {
  expect(parseJsonObject(Buffer.from(text)).value).toEqual(JSON.parse(text));
});

test.each([String.raw`{"\U0061":1}`, String.raw`{"a":"\u00"}`, String.raw`{"a":"\u00g1"}`])(
  "parseJsonObject rejects %s as JSON.parse does",
  (text) => {
    expect(() => parseJsonObject(Buffer.from(text))).toThrow(/not valid JSON/);
  },
);
