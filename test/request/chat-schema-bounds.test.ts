import { expect, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { readChatRequest } from "../../src/request/chat-request.ts";

/** Returns the code and the param of the error for a request with these fields; undefined if it is valid. */
function findError(fields: object): string | undefined {
  const body = JSON.stringify({ model: "a/b", messages: [{ role: "user", content: "hi" }], ...fields });
  try {
    expect(readChatRequest(Buffer.from(body)).body.toString()).toBe(body);
  } catch (error) {
    if (error instanceof GatewayError) return `${error.code} ${error.param}`;
    throw error;
  }
  return undefined;
}

test.each([
  ["temperature", 0, 2],
  ["top_p", 0, 1],
  ["min_p", 0, 1],
  ["top_a", 0, 1],
  ["frequency_penalty", -2, 2],
  ["presence_penalty", -2, 2],
  ["repetition_penalty", 0, 2],
])("%s accepts numbers from %d to %d only", (field, min, max) => {
  for (const value of [min, min + 0.01, max - 0.01, max])
    expect(findError({ [field]: value })).toBeUndefined();
  for (const value of [min - 0.01, max + 0.01])
    expect(findError({ [field]: value })).toBe(`invalid_value ${field}`);
});

test.each([
  ["top_k", 0, Infinity],
  ["max_tokens", 0, Infinity],
  ["max_completion_tokens", 0, Infinity],
  ["n", 1, Infinity],
  ["top_logprobs", 0, 20],
])("%s accepts whole numbers from %d to %d only", (field, min, max) => {
  const largest = Math.min(max, 1e300);
  for (const value of [min, min + 1, largest]) expect(findError({ [field]: value })).toBeUndefined();
  expect(findError({ [field]: min - 1 })).toBe(`invalid_value ${field}`);
  expect(findError({ [field]: min + 0.5 })).toBe(`invalid_type ${field}`);
  const expected = max < Infinity ? `invalid_value ${field}` : undefined;
  expect(findError({ [field]: largest + 1 })).toBe(expected);
});

const message = (fields: object): object => ({ messages: [{ role: "user", ...fields }] });
const part = (fields: object): object => message({ content: [{ type: "text", ...fields }] });
const call = (fields: object): object => message({ tool_calls: [fields] });
const tool = (fields: object): object => ({ tools: [fields] });

test.each<[param: string, fields: object]>([
  ["messages[0].content[0].image_url.detail", part({ image_url: { url: "data:,", detail: 7 } })],
  ["messages[0].content[0].video_url", part({ video_url: 7 })],
  ["messages[0].content[0].video_url.url", part({ video_url: { url: 7 } })],
  ["messages[0].tool_calls[0]", message({ tool_calls: ["call"] })],
  ["messages[0].tool_calls[0].id", call({ id: 7 })],
  ["messages[0].tool_calls[0].type", call({ type: 7 })],
  ["messages[0].tool_calls[0].function", call({ function: "f" })],
  ["messages[0].refusal", message({ refusal: 7 })],
  ["tools[0]", { tools: ["f"] }],
  ["tools[0].type", tool({ type: 7 })],
  ["tools[0].function.description", tool({ function: { name: "f", description: 7 } })],
  ["top_p", { top_p: "1" }],
  ["top_logprobs", { top_logprobs: "1" }],
  ["preset", { preset: 7 }],
  ["route", { route: 7 }],
  ["transforms", { transforms: "middle-out" }],
  ["transforms[0]", { transforms: [7] }],
  ["service_tier", { service_tier: 7 }],
  ["trace", { trace: "t" }],
  ["stream_options", { stream_options: true }],
  ["response_format.type", { response_format: { type: 7 } }],
  ["reasoning.exclude", { reasoning: { exclude: "yes" } }],
  ["reasoning.enabled", { reasoning: { enabled: "yes" } }],
  ["reasoning_effort", { reasoning_effort: 7 }],
  ["modalities", { modalities: "text" }],
  ["image_config", { image_config: "1:1" }],
  ["cache_control", { cache_control: "ephemeral" }],
  ["prediction", { prediction: "p" }],
  ["debug", { debug: true }],
])("rejects %s of a wrong type with its path as param", (param, fields) => {
  expect(findError(fields)).toBe(`invalid_type ${param}`);
});

test.each<[what: string, fields: object]>([
  ["a video as a string", part({ video_url: "https://video.example/1" })],
  ["a video as an object", part({ video_url: { url: "https://video.example/1" } })],
  ["an image with a detail", part({ image_url: { url: "data:,", detail: "low" } })],
  ["a tool choice as a string", { tool_choice: "auto" }],
  ["a list of stops", { stop: ["a"] }],
  ["models without model", { model: undefined, models: ["a/b"] }],
  ["a preset without a model", { model: undefined, preset: "p" }],
])("accepts %s", (_, fields) => {
  expect(findError(fields)).toBeUndefined();
});
