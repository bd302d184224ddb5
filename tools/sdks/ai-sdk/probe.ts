// The AI SDK, with the provider for OpenAI-compatible services or with OpenRouter's.
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
const stranger = provider(probe.WRONG_KEY);

/** The options that all calls share: one question, no retries. */
function asking(scenario: string, id: string) {
  return { model: model(id), prompt: probe.buildPrompt(scenario), maxRetries: 0 };
}

const tools = {
  [probe.TOOL_NAME]: tool({ inputSchema: jsonSchema<{ city: string }>(probe.TOOL_SCHEMA) }),
};

function checkToolCall(calls: readonly { toolName: string; input: unknown }[]): void {
  assert(calls[0]);
  probe.expectFields(calls[0], { toolName: probe.TOOL_NAME, input: { city: probe.CITY } });
}

/** `isInstance`, because each provider brings its own copy of the class. */
async function callFailure(asked: PromiseLike<unknown>): Promise<APICallError> {
  const error = await probe.expectFailure(asked, Error);
  assert(APICallError.isInstance(error), `expected an APICallError, came ${error.name}: ${error.message}`);
  return error;
}

function failed(scenario: string, id: string): Promise<APICallError> {
  return callFailure(generateText(asking(scenario, id)));
}

await probe.runProbe({
  chat: async () => {
    const answer = await generateText(asking("chat", probe.PLAIN));
    assert.equal(answer.text, probe.buildReply("chat"));
    assert.equal(answer.finishReason, "stop");
    assert((answer.usage.totalTokens ?? 0) > 0);
  },
  stream: async () => {
    let text = "";
    for await (const part of streamText(asking("stream", probe.STREAMED)).textStream) text += part;
    assert.equal(text, (await generateText(asking("stream", probe.PLAIN))).text);
    assert.equal(text, probe.buildReply("stream"));
  },
  tools: async () => {
    const answer = await generateText({ ...asking("tools", probe.PLAIN), tools });
    checkToolCall(answer.toolCalls);
  },
  "tools streamed": async () => {
    const answer = streamText({ ...asking("tools streamed", probe.STREAMED), tools });
    checkToolCall(await answer.toolCalls);
  },
  "structured output": async () => {
    const report = z.object({ city: z.string(), celsius: z.int() });
    const answer = await generateText({
      ...asking("structured output", probe.PLAIN),
      output: Output.object({ schema: report }),
    });
    assert.deepEqual(answer.output, probe.REPORT);
  },
  "image input": async () => {
    const answer = await generateText({
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
    assert.equal(answer.text, probe.buildReply("image input"));
  },
  "401": async () => {
    const asked = generateText({ ...asking("401", probe.PLAIN), model: stranger(probe.PLAIN) });
    const error = await callFailure(asked);
    probe.expectFields(error, { statusCode: 401, isRetryable: false });
    assert.match(error.responseBody ?? "", /"code":"invalid_api_key"/);
  },
  "400": async () => {
    const asked = generateText({ ...asking("400", probe.PLAIN), temperature: 3 });
    const error = await callFailure(asked);
    probe.expectFields(error, { statusCode: 400, isRetryable: false });
    assert.match(error.message, /temperature must be/);
  },
  "404": async () => {
    const error = await failed("404", probe.failing(404));
    probe.expectFields(error, { statusCode: 404, message: "Resource not found", isRetryable: false });
  },
  "429": async () => {
    const error = await failed("429", probe.failing(429));
    probe.expectFields(error, { statusCode: 429, message: "Rate limit exceeded", isRetryable: true });
  },
  "500": async () => {
    const error = await failed("500", probe.failing(500));
    probe.expectFields(error, { statusCode: 500, message: "Internal Server Error", isRetryable: true });
  },
  cancel: async () => {
    const leaving = new AbortController();
    const asked = streamText({ ...asking("cancel", probe.SLOW), abortSignal: leaving.signal });
    let parts = 0;
    for await (const _ of asked.textStream) if (++parts === 3) leaving.abort();
    assert.equal(parts, 3);
  },
  timeout: async () => {
    const asked = generateText({ ...asking("timeout", probe.SILENT), timeout: probe.TIMEOUT_MS });
    const error = await probe.expectFailure(asked, DOMException);
    assert.equal(error.name, "TimeoutError");
  },
  "retry after 429": async () => {
    const answer = await generateText({ ...asking("retry after 429", probe.BUSY_ONCE), maxRetries: 2 });
    assert.equal(answer.text, probe.buildReply("retry after 429"));
  },
});
