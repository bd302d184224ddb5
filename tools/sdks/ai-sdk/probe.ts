// Probe of the AI SDK. Its argument selects the provider: the one for OpenAI-compatible services, or OpenRouter's own.
import assert from "node:assert/strict";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { createOpenRouter } from "@openrouter/ai-sdk-provider";
import { APICallError, type LanguageModel, Output, generateText, jsonSchema, streamText, tool } from "ai";
import { z } from "zod";
import * as probe from "../harness.ts";

const PROVIDERS: Readonly<Record<string, (apiKey: string) => (model: string) => LanguageModel>> = {
  compatible: (apiKey) =>
    createOpenAICompatible({
      name: "gateway",
      baseURL: probe.BASE_URL,
      apiKey,
      supportsStructuredOutputs: true,
    }),
  openrouter: (apiKey) => createOpenRouter({ baseURL: probe.BASE_URL, apiKey }),
};

const provider = PROVIDERS[process.argv[2] ?? ""];
assert(provider, `name a provider: ${Object.keys(PROVIDERS).join(", ")}`);
const model = provider(probe.API_KEY);
const wrongKeyModel = provider(probe.WRONG_KEY);

/** Returns the options that all calls share: the prompt of the scenario, and no retries. */
function buildOptions(scenario: string, id: string) {
  return { model: model(id), prompt: probe.buildPrompt(scenario), maxRetries: 0 };
}

const tools = {
  [probe.TOOL_NAME]: tool({ inputSchema: jsonSchema<{ city: string }>(probe.TOOL_SCHEMA) }),
};

function checkToolCall(calls: readonly { toolName: string; input: unknown }[]): void {
  assert(calls[0]);
  probe.expectFields(calls[0], { toolName: probe.TOOL_NAME, input: { city: probe.CITY } });
}

/** Expects an `APICallError`. It uses `isInstance`, because each provider contains its own copy of the class. */
async function callFailure(call: PromiseLike<unknown>): Promise<APICallError> {
  const error = await probe.expectFailure(call, Error);
  assert(APICallError.isInstance(error), `expected an APICallError, got ${error.name}: ${error.message}`);
  return error;
}

function expectCallFailure(scenario: string, id: string): Promise<APICallError> {
  return callFailure(generateText(buildOptions(scenario, id)));
}

await probe.runProbe({
  chat: async () => {
    const response = await generateText(buildOptions("chat", probe.PLAIN));
    assert.equal(response.text, probe.buildReply("chat"));
    assert.equal(response.finishReason, "stop");
    assert((response.usage.totalTokens ?? 0) > 0);
  },
  stream: async () => {
    let text = "";
    for await (const part of streamText(buildOptions("stream", probe.STREAMED)).textStream) text += part;
    assert.equal(text, (await generateText(buildOptions("stream", probe.PLAIN))).text);
    assert.equal(text, probe.buildReply("stream"));
  },
  tools: async () => {
    const response = await generateText({ ...buildOptions("tools", probe.PLAIN), tools });
    checkToolCall(response.toolCalls);
  },
  "tools streamed": async () => {
    const response = streamText({ ...buildOptions("tools streamed", probe.STREAMED), tools });
    checkToolCall(await response.toolCalls);
  },
  "structured output": async () => {
    const report = z.object({ city: z.string(), celsius: z.int() });
    const response = await generateText({
      ...buildOptions("structured output", probe.PLAIN),
      output: Output.object({ schema: report }),
    });
    assert.deepEqual(response.output, probe.REPORT);
  },
  "image input": async () => {
    const response = await generateText({
      model: model(probe.PLAIN),
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: probe.buildPrompt("image input") },
            { type: "image", image: probe.PICTURE_URL },
          ],
        },
      ],
    });
    assert.equal(response.text, probe.buildReply("image input"));
  },
  "401": async () => {
    const call = generateText({ ...buildOptions("401", probe.PLAIN), model: wrongKeyModel(probe.PLAIN) });
    const error = await callFailure(call);
    probe.expectFields(error, { statusCode: 401, isRetryable: false });
    assert.match(error.responseBody ?? "", /"code":"invalid_api_key"/);
  },
  "400": async () => {
    const call = generateText({ ...buildOptions("400", probe.PLAIN), temperature: 3 });
    const error = await callFailure(call);
    probe.expectFields(error, { statusCode: 400, isRetryable: false });
    assert.match(error.message, /temperature must be/);
  },
  "404": async () => {
    const error = await expectCallFailure("404", probe.failing(404));
    probe.expectFields(error, { statusCode: 404, message: "Resource not found", isRetryable: false });
  },
  "429": async () => {
    const error = await expectCallFailure("429", probe.failing(429));
    probe.expectFields(error, { statusCode: 429, message: "Rate limit exceeded", isRetryable: true });
  },
  "500": async () => {
    const error = await expectCallFailure("500", probe.failing(500));
    probe.expectFields(error, { statusCode: 500, message: "Internal Server Error", isRetryable: true });
  },
  cancel: async () => {
    const controller = new AbortController();
    const call = streamText({ ...buildOptions("cancel", probe.SLOW), abortSignal: controller.signal });
    let parts = 0;
    for await (const _ of call.textStream) if (++parts === 3) controller.abort();
    assert.equal(parts, 3);
  },
  timeout: async () => {
    const call = generateText({ ...buildOptions("timeout", probe.SILENT), timeout: probe.TIMEOUT_MS });
    const error = await probe.expectFailure(call, DOMException);
    assert.equal(error.name, "TimeoutError");
  },
  "retry after 429": async () => {
    const response = await generateText({
      ...buildOptions("retry after 429", probe.BUSY_ONCE),
      maxRetries: 2,
    });
    assert.equal(response.text, probe.buildReply("retry after 429"));
  },
});
