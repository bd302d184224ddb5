import { expect, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { readChatRequest } from "../../src/request/chat-request.ts";
import { sendRequest } from "../support/send-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { ValueGenerator, Spec } from "./spec.ts";

const spec = new Spec();
const chatRequest = spec.findSchema("ChatRequest");

type Fields = Record<string, unknown>;

/** Returns the rejection of a request as `code param`; undefined if it is forwarded unchanged. */
function findRefusal(request: Fields): string | undefined {
  const body = Buffer.from(JSON.stringify(request));
  const before = Buffer.from(body);
  try {
    const forwarded = readChatRequest(body).body;
    return forwarded.equals(before) ? undefined : "changed";
  } catch (error) {
    if (error instanceof GatewayError) return `${error.code} ${error.param}`;
    throw error;
  }
}

/** Generates a request that the specification allows, with a model and at least one message. */
function generateRequest(generator: ValueGenerator): Fields {
  const request = generator.generateObject(chatRequest, 6);
  const messages = request["messages"] as unknown[];
  return {
    ...request,
    model: "openai/gpt-4o",
    messages: messages.length > 0 ? messages : [{ role: "user", content: "Hello" }],
  };
}

test("accepts thousands of requests that OpenRouter's specification allows, and changes no byte", () => {
  const refusals: string[] = [];
  for (let seed = 1; seed <= 5_000; seed++) {
    const request = generateRequest(new ValueGenerator(spec, seed));
    const refusal = findRefusal(request);
    if (refusal !== undefined)
      refusals.push(`seed ${seed}: ${refusal}: ${JSON.stringify(request).slice(0, 300)}`);
  }
  expect(refusals).toEqual([]);
});

test("forwards requests that the specification allows byte for byte over real sockets", async () => {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(formatResponse(200, { "content-type": "application/json" }, "{}")),
  );
  const gateway = await startTestGateway(upstream.baseUrl);
  const bodies = Array.from({ length: 300 }, (_, seed) =>
    JSON.stringify(generateRequest(new ValueGenerator(spec, seed + 1))),
  );
  for (const body of bodies) expect((await sendRequest(gateway.port, { body })).status).toBe(200);
  expect(upstream.seen.map(({ body }) => body.toString())).toEqual(bodies);
});

test("accepts each field of the specification on its own, in all variants", () => {
  const refusals: string[] = [];
  for (const [name, schema] of Object.entries(chatRequest.properties ?? {})) {
    for (let seed = 1; seed <= 200; seed++) {
      const value = new ValueGenerator(spec, seed).generate(schema);
      // Empty models and empty messages are invalid.
      if ((name === "messages" || name === "model") && (value as string | unknown[]).length === 0) continue;
      const refusal = findRefusal({
        model: "openai/gpt-4o",
        messages: [{ role: "user", content: "Hello" }],
        [name]: value,
      });
      if (refusal !== undefined) refusals.push(`${name} ${JSON.stringify(value)?.slice(0, 200)}: ${refusal}`);
    }
  }
  expect(refusals).toEqual([]);
});

const BASE: Fields = { model: "openai/gpt-4o", messages: [{ role: "user", content: "Hello" }] };
const withMessage = (message: Fields): Fields => ({ ...BASE, messages: [message] });

/** Requests that the specification forbids, although OpenRouter's documentation, OpenAI's API or recorded traffic has them. */
const ALLOWED_BEYOND: [why: string, request: Fields][] = [
  ["a preset in place of a model", { preset: "mine", messages: BASE["messages"] }],
  ["models[] in place of a model", { models: ["a/b", "c/d"], messages: BASE["messages"] }],
  ["an unknown role", withMessage({ role: "critic", content: "x" })],
  ["an unknown part type", withMessage({ role: "user", content: [{ type: "hologram", hologram: {} }] })],
  [
    "an assistant message without content",
    withMessage({
      role: "assistant",
      tool_calls: [{ id: "1", type: "function", function: { name: "f", arguments: "{}" } }],
    }),
  ],
  ["a user message with null content", withMessage({ role: "user", content: null })],
  ["stream: null", { ...BASE, stream: null }],
  ["tools: null", { ...BASE, tools: null }],
  ["tool_choice: null", { ...BASE, tool_choice: null }],
  ["response_format: null", { ...BASE, response_format: null }],
  ["metadata: null", { ...BASE, metadata: null }],
  ["max_completion_tokens: null", { ...BASE, max_completion_tokens: null }],
  ["an unknown reasoning effort", { ...BASE, reasoning: { effort: "galactic" } }],
  ["an unknown service tier", { ...BASE, service_tier: "turbo" }],
  ["an unknown modality", { ...BASE, modalities: ["smell"] }],
  ["an unknown plugin", { ...BASE, plugins: [{ id: "new", anything: 1 }] }],
  ["a server tool without a function", { ...BASE, tools: [{ type: "openrouter:web_search", engine: "x" }] }],
  ["transforms", { ...BASE, transforms: ["middle-out"] }],
  ["an unknown field", { ...BASE, brand_new: { deep: [1, { er: null }] } }],
];

test.each(ALLOWED_BEYOND)("accepts %s, although the specification does not", (_, request) => {
  expect(findRefusal(request)).toBeUndefined();
});

/** Violations of documented constraints, and the parameter that the error must name. */
const BROKEN: [param: string, request: Fields][] = [
  ["messages", { model: "a/b" }],
  ["messages", { ...BASE, messages: [] }],
  ["messages", { ...BASE, messages: {} }],
  ["messages[0]", { ...BASE, messages: ["Hello"] }],
  ["messages[1].role", { ...BASE, messages: [{ role: "user", content: "" }, { content: "" }] }],
  ["messages[0].role", withMessage({ role: 1, content: "" })],
  ["messages[0].content", withMessage({ role: "user", content: 1 })],
  ["messages[0].content[0].type", withMessage({ role: "user", content: [{}] })],
  [
    "messages[0].content[1].text",
    withMessage({
      role: "user",
      content: [
        { type: "text", text: "" },
        { type: "text", text: 1 },
      ],
    }),
  ],
  [
    "messages[0].content[0].image_url.url",
    withMessage({ role: "user", content: [{ type: "image_url", image_url: {} }] }),
  ],
  ["messages[0].tool_calls", withMessage({ role: "assistant", tool_calls: "x" })],
  ["model", { ...BASE, model: 1 }],
  ["model", { ...BASE, model: "" }],
  ["model", { messages: BASE["messages"] }],
  ["models[1]", { ...BASE, models: ["a/b", 2] }],
  ...([
    "temperature",
    "top_p",
    "frequency_penalty",
    "presence_penalty",
    "repetition_penalty",
    "min_p",
    "top_a",
  ].flatMap((name) => [
    [name, { ...BASE, [name]: "1" }],
    [name, { ...BASE, [name]: 2.5 }],
    [name, { ...BASE, [name]: -2.5 }],
  ]) as [string, Fields][]),
  ...(["max_tokens", "max_completion_tokens", "top_k", "seed", "n", "top_logprobs"].flatMap((name) => [
    [name, { ...BASE, [name]: 1.5 }],
    [name, { ...BASE, [name]: "1" }],
  ]) as [string, Fields][]),
  ["max_tokens", { ...BASE, max_tokens: -1 }],
  ["top_logprobs", { ...BASE, top_logprobs: 21 }],
  ["stop", { ...BASE, stop: ["a", "b", "c", "d", "e"] }],
  ["stop[0]", { ...BASE, stop: [1] }],
  ["stream", { ...BASE, stream: "true" }],
  ["stream_options", { ...BASE, stream_options: [] }],
  ["tools", { ...BASE, tools: {} }],
  ["tools[0].function.name", { ...BASE, tools: [{ type: "function", function: {} }] }],
  ["tool_choice", { ...BASE, tool_choice: 1 }],
  ["parallel_tool_calls", { ...BASE, parallel_tool_calls: "yes" }],
  ["response_format.type", { ...BASE, response_format: {} }],
  ["session_id", { ...BASE, session_id: "x".repeat(257) }],
  ["user", { ...BASE, user: 1 }],
  ["provider", { ...BASE, provider: "openai" }],
  ["plugins", { ...BASE, plugins: {} }],
  ["reasoning.effort", { ...BASE, reasoning: { effort: 1 } }],
  ["logit_bias", { ...BASE, logit_bias: [] }],
  ["logprobs", { ...BASE, logprobs: 1 }],
  ["metadata", { ...BASE, metadata: "x" }],
];

test.each(BROKEN)("rejects an invalid %s and names it in the error", (param, request) => {
  expect(findRefusal(request)).toMatch(
    new RegExp(`^(invalid_type|invalid_value|missing_required_parameter) ${RegExp.escape(param)}$`),
  );
});
