import { expect, test } from "vitest";
import { expectRefusal } from "../support/expect-refusal.ts";

const VALID = { model: "a/b", messages: [{ role: "user", content: "hi" }] };

test.each<[message: string, body: string | Uint8Array]>([
  ["The request body is empty; send a JSON object.", ""],
  ["The request body is not valid UTF-8.", Buffer.of(0x7b, 0xff, 0x7d)],
  ["The request body starts with a byte order mark; send JSON without one.", "\ufeff{}"],
  ["The request body nests objects and arrays more than 512 levels deep.", "[".repeat(513)],
  ["The request body must be a JSON object.", "[]"],
  ["The request body must be a JSON object.", "null"],
  ["The request body must be a JSON object.", '"{}"'],
  ["The request body is not valid JSON.", "{"],
  ["The request body is not valid JSON.", "\u00ef{}"],
  ["The request body has a field more than once; send each field once.", '{"a":1,"a":2}'],
  ["The request names no model; set model, a non-empty models, or preset.", '{"messages":[{"role":"user"}]}'],
])("sends this error message for an invalid body: %s", (message, body) => {
  expect(expectRefusal(body).message).toBe(message);
});

test.each(["\uf03f", "\ufec0", "\u0eff"])(
  "reports %j, which shares bytes with a byte order mark, as invalid JSON",
  (character) => {
    expect(expectRefusal(`${character}{}`).message).toBe("The request body is not valid JSON.");
  },
);

const message = (fields: object): object => ({ messages: [{ role: "user", ...fields }] });
const part = (fields: object): object => message({ content: [{ type: "x", ...fields }] });

test.each<[message: string, fields: object]>([
  ["messages is missing.", { messages: undefined }],
  ["messages[0].role is missing.", { messages: [{}] }],
  ["messages must be an array.", { messages: {} }],
  ["messages must not be empty.", { messages: [] }],
  ["messages[0] must be an object.", { messages: ["hi"] }],
  ["messages[0].role must be a string.", message({ role: 1 })],
  ["messages[0].content must be a string or an array of parts.", message({ content: 1 })],
  ["messages[0].content[0].image_url must be an object with a url.", part({ image_url: 1 })],
  ["messages[0].content[0].video_url must be an object with a url.", part({ video_url: [] })],
  ["user must be a string.", { user: {} }],
  ["session_id must have at most 256 characters.", { session_id: "s".repeat(257) }],
  ["stream must be true or false.", { stream: "true" }],
  ["temperature must be a number.", { temperature: "1" }],
  ["temperature must be from 0 to 2.", { temperature: 3 }],
  ["frequency_penalty must be from -2 to 2.", { frequency_penalty: 3 }],
  ["n must be a whole number.", { n: 1.5 }],
  ["n must be at least 1.", { n: 0 }],
  ["max_tokens must be at least 0.", { max_tokens: -1 }],
  ["top_logprobs must be from 0 to 20.", { top_logprobs: 21 }],
  ["stop must be a string or an array of up to 4 strings.", { stop: 1 }],
  ["stop must have at most 4 items.", { stop: ["1", "2", "3", "4", "5"] }],
  ["tool_choice must be a string or an object.", { tool_choice: 1 }],
])("sends this error message for an invalid field: %s", (text, fields) => {
  expect(expectRefusal(JSON.stringify({ ...VALID, ...fields })).message).toBe(text);
});
