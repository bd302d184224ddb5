import { expect, test } from "vitest";
import { readChatRequest } from "../../src/request/chat-request.ts";

const MESSAGES = '"messages":[{"role":"user","content":"hi"}]';
const VALID = { model: "openai/gpt-4o-mini", messages: [{ role: "user", content: "hi" }] };

/** Returns the bytes that the gateway forwards for a valid body. */
function forward(body: string): string {
  return readChatRequest(Buffer.from(body)).body.toString();
}

function read(fields: string): ReturnType<typeof readChatRequest> {
  return readChatRequest(Buffer.from(`{${fields},${MESSAGES}}`));
}

const NULLABLE =
  "temperature top_p top_k min_p top_a frequency_penalty presence_penalty repetition_penalty seed max_tokens " +
  "max_completion_tokens n logprobs top_logprobs logit_bias stop stream stream_options tools tool_choice " +
  "parallel_tool_calls response_format reasoning reasoning_effort modalities image_config cache_control prediction " +
  "debug models preset route provider plugins transforms service_tier session_id user metadata trace a_new_field";

test.each(NULLABLE.split(" "))("accepts null for %s", (field) => {
  const body = JSON.stringify({ ...VALID, [field]: null });
  expect(forward(body)).toBe(body);
});

test("accepts null in nested fields", () => {
  const part = { type: "text", text: null, cache_control: null, file: null, input_audio: null };
  const call = { id: null, type: null, function: null };
  const messages = [
    { role: "assistant", content: null, tool_calls: [call, { function: { name: null } }], refusal: null },
    { role: "tool", content: [part], tool_call_id: null, name: null, reasoning: null },
    { role: "assistant", tool_calls: null },
  ];
  const tools = [{ type: null, function: { name: "f", description: null, parameters: null, strict: null } }];
  const reasoning = { effort: null, max_tokens: null, exclude: null, enabled: null };
  const body = JSON.stringify({
    ...VALID,
    messages,
    tools,
    reasoning,
    stream_options: { include_usage: null },
  });
  expect(forward(body)).toBe(body);
});

test.each<[what: string, fields: object]>([
  ["an unknown role", { messages: [{ role: "oracle", content: "hi" }] }],
  ["the role developer", { messages: [{ role: "developer", content: "hi" }] }],
  ["a message without content", { messages: [{ role: "assistant" }] }],
  ["an empty content", { messages: [{ role: "assistant", content: "" }] }],
  ["no parts", { messages: [{ role: "user", content: [] }] }],
  [
    "an unknown part",
    { messages: [{ role: "user", content: [{ type: "hologram", hologram: { x: [1] } }] }] },
  ],
  [
    "an image as a string",
    { messages: [{ role: "user", content: [{ type: "image_url", image_url: "data:," }] }] },
  ],
  [
    "reasoning details of any shape",
    { messages: [{ role: "assistant", reasoning_details: [{ type: "x" }, 7] }] },
  ],
  ["an unknown field of a message", { messages: [{ role: "user", content: "hi", mood: { good: true } }] }],
  [
    "a server tool without a function",
    { tools: [{ type: "openrouter:web_search", parameters: { model: "x" } }] },
  ],
  ["an unknown tool", { tools: [{ custom: { name: "x", format: { type: "grammar" } } }] }],
  ["an unknown response format", { response_format: { type: "python", grammar: "x" } }],
  ["an unknown effort", { reasoning: { effort: "ludicrous", summary: "auto" } }],
  ["an unknown service tier", { service_tier: "turbo" }],
  ["an unknown modality", { modalities: ["text", "smell"] }],
  [
    "provider preferences of any shape",
    { provider: { order: ["a/b", 7], sort: { by: "price" }, zdr: true } },
  ],
  ["plugins of any shape", { plugins: [{ id: "web", max_results: 3, model: "openrouter/a/b" }, {}] }],
  ["unknown fields of every kind", { x: [1, "2", { y: null }], "": false, toString: 1 }],
  ["stop as a string", { stop: "\n" }],
  ["an empty list of stops", { stop: [] }],
  ["four stops", { stop: ["a", "b", "c", "d"] }],
  [
    "numbers at their bounds",
    { temperature: 2, top_p: 0, top_k: 0, frequency_penalty: -2, n: 1, top_logprobs: 20 },
  ],
  ["a session of 256 characters", { session_id: "s".repeat(256) }],
  ["a tool choice of any shape", { tool_choice: { type: "allowed_tools", allowed_tools: { mode: "auto" } } }],
])("accepts %s", (_, fields) => {
  const body = JSON.stringify({ ...VALID, ...fields });
  expect(forward(body)).toBe(body);
});

test.each(["9223372036854775807", "-9223372036854775808", "1e400", "-1e400", "1.0", "1E2", "-0", "0"])(
  "forwards seed %s unchanged",
  (seed) => {
    const body = `{"model":"a/b",${MESSAGES},"seed":${seed}}`;
    expect(forward(body)).toBe(body);
  },
);

test.each(["18446744073709551616", "1e400", "1.0", "1e2"])("forwards max_tokens %s unchanged", (number) => {
  const body = `{"model":"a/b",${MESSAGES},"max_tokens":${number},"top_k":${number}}`;
  expect(forward(body)).toBe(body);
});

test("requestedModel is the field model, else the first item of models, else undefined", () => {
  expect(read('"model":"openrouter/a/b","models":["openrouter/c/d"]')).toMatchObject({
    requestedModel: "openrouter/a/b",
    forwardedModel: "a/b",
  });
  expect(read('"model":null,"models":["openrouter/c/d","e/f"]')).toMatchObject({
    requestedModel: "openrouter/c/d",
    forwardedModel: "c/d",
  });
  expect(read('"preset":"p"')).toMatchObject({ requestedModel: undefined, forwardedModel: undefined });
});

test("stream is true only if the field is true", () => {
  const values = ["true", "false", "null"];
  expect(values.map((value) => read(`"model":"a/b","stream":${value}`).stream)).toEqual([true, false, false]);
  expect(read('"model":"a/b"').stream).toBe(false);
});
