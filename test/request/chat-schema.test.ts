import { expect, test } from "vitest";
import type { GatewayError } from "../../src/errors.ts";
import { expectRefusal as expectBodyRejection } from "../support/expect-refusal.ts";

const VALID = { model: "openai/gpt-4o-mini", messages: [{ role: "user", content: "hi" }] };
/** Value of fields in rejected bodies. No error response may contain it. */
const SECRET = "5ecret-va1ue";
const HUGE = 86_420_975;

function expectRejection(fields: object): GatewayError {
  return expectBodyRejection(JSON.stringify({ ...VALID, ...fields }));
}

const message = (fields: object): object => ({ messages: [{ role: "user", ...fields }] });
const part = (fields: object): object => message({ content: [{ type: "text", text: "a" }, fields] });
const tool = (fields: object): object => ({
  tools: [{ type: "function", function: { name: "f", ...fields } }],
});

test.each<[param: string, fields: object]>([
  ["messages", { messages: undefined }],
  ["messages[0].role", { messages: [{ content: SECRET }] }],
  ["messages[0].content[1].type", part({ text: SECRET })],
  ["messages[0].content[1].image_url.url", part({ type: "image_url", image_url: { detail: SECRET } })],
  ["messages[0].content[1].video_url.url", part({ type: "video_url", video_url: {} })],
  ["tools[0].function.name", { tools: [{ function: { description: SECRET } }] }],
  ["response_format.type", { response_format: { json_schema: SECRET } }],
  ["model", { model: undefined }],
  ["model", { model: "" }],
  ["model", { model: null, models: [], preset: null }],
  ["model", { model: undefined, models: null, preset: "" }],
])("rejects a missing %s", (param, fields) => {
  const error = expectRejection(fields);
  expect([error.status, error.type, error.code, error.param]).toEqual([
    400,
    "invalid_request_error",
    "missing_required_parameter",
    param,
  ]);
  expect(error.toJson()).not.toContain(SECRET);
});

const OBJECT = { [SECRET]: SECRET };

test.each<[param: string, fields: object]>([
  ["messages", { messages: OBJECT }],
  ["messages", { messages: null }],
  ["messages[1]", { messages: [{ role: "user" }, SECRET] }],
  ["messages[0].role", message({ role: null })],
  ["messages[0].role", message({ role: OBJECT })],
  ["messages[0].content", message({ content: OBJECT })],
  ["messages[0].content", message({ content: HUGE })],
  ["messages[0].content[1]", part([SECRET])],
  ["messages[0].content[1].type", part({ type: HUGE })],
  ["messages[0].content[1].text", part({ type: "text", text: OBJECT })],
  ["messages[0].content[1].image_url", part({ type: "image_url", image_url: HUGE })],
  ["messages[0].content[1].image_url.url", part({ type: "image_url", image_url: { url: OBJECT } })],
  ["messages[0].content[1].input_audio", part({ type: "input_audio", input_audio: SECRET })],
  ["messages[0].content[1].file", part({ type: "file", file: [SECRET] })],
  ["messages[0].content[1].cache_control", part({ type: "text", cache_control: SECRET })],
  ["messages[0].name", message({ name: OBJECT })],
  ["messages[0].tool_call_id", message({ tool_call_id: HUGE })],
  ["messages[0].tool_calls", message({ tool_calls: OBJECT })],
  ["messages[0].tool_calls[0].function.name", message({ tool_calls: [{ function: { name: OBJECT } }] })],
  ["messages[0].reasoning", message({ reasoning: OBJECT })],
  ["model", { model: [SECRET] }],
  ["models", { models: SECRET }],
  ["models[1]", { models: ["a/b", OBJECT] }],
  ["models[0]", { models: [null] }],
  ["provider", { provider: SECRET }],
  ["plugins", { plugins: OBJECT }],
  ["plugins[0]", { plugins: [SECRET] }],
  ["stream", { stream: SECRET }],
  ["stream", { stream: 1 }],
  ["stream_options.include_usage", { stream_options: { include_usage: SECRET } }],
  ["temperature", { temperature: SECRET }],
  ["seed", { seed: 1.5 }],
  ["seed", { seed: String(HUGE) }],
  ["max_tokens", { max_tokens: HUGE + 0.5 }],
  ["n", { n: SECRET }],
  ["logprobs", { logprobs: 3 }],
  ["logit_bias", { logit_bias: [HUGE] }],
  ["stop", { stop: OBJECT }],
  ["stop[1]", { stop: [SECRET, HUGE] }],
  ["tools", { tools: OBJECT }],
  ["tools[0].function", { tools: [{ type: "function", function: SECRET }] }],
  ["tools[0].function.name", tool({ name: OBJECT })],
  ["tools[0].function.parameters", tool({ parameters: SECRET })],
  ["tools[0].function.strict", tool({ strict: SECRET })],
  ["tool_choice", { tool_choice: [SECRET] }],
  ["parallel_tool_calls", { parallel_tool_calls: SECRET }],
  ["response_format", { response_format: SECRET }],
  ["reasoning", { reasoning: SECRET }],
  ["reasoning.effort", { reasoning: { effort: OBJECT } }],
  ["reasoning.max_tokens", { reasoning: { max_tokens: SECRET } }],
  ["modalities[0]", { modalities: [OBJECT] }],
  ["metadata", { metadata: SECRET }],
  ["user", { user: HUGE }],
  ["session_id", { session_id: HUGE }],
  ["debug.echo_upstream_body", { debug: { echo_upstream_body: SECRET } }],
])("rejects %s of a wrong type: %j", (param, fields) => {
  const error = expectRejection(fields);
  expect([error.status, error.code, error.param]).toEqual([400, "invalid_type", param]);
  expect(error.toJson()).not.toMatch(new RegExp(`${SECRET}|${HUGE}`));
});

test.each<[param: string, fields: object]>([
  ["messages", { messages: [] }],
  ["temperature", { temperature: HUGE }],
  ["temperature", { temperature: -0.01 }],
  ["top_p", { top_p: 1.01 }],
  ["top_k", { top_k: -HUGE }],
  ["min_p", { min_p: HUGE }],
  ["top_a", { top_a: HUGE }],
  ["frequency_penalty", { frequency_penalty: -2.01 }],
  ["presence_penalty", { presence_penalty: 2.01 }],
  ["repetition_penalty", { repetition_penalty: HUGE }],
  ["max_tokens", { max_tokens: -1 }],
  ["max_completion_tokens", { max_completion_tokens: -HUGE }],
  ["n", { n: 0 }],
  ["top_logprobs", { top_logprobs: 21 }],
  ["stop", { stop: ["1", "2", "3", "4", SECRET] }],
  ["session_id", { session_id: SECRET.repeat(40) }],
])("rejects %s out of range: %j", (param, fields) => {
  const error = expectRejection(fields);
  expect([error.status, error.code, error.param]).toEqual([400, "invalid_value", param]);
  expect(error.toJson()).not.toMatch(new RegExp(`${SECRET}|${HUGE}`));
});
