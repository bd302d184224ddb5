// Probe of LangChain for Node, which wraps OpenAI's SDK in its own classes and retries.
import assert from "node:assert/strict";
import { type AIMessageChunk, HumanMessage, type UsageMetadata } from "@langchain/core/messages";
import { ChatOpenAI } from "@langchain/openai";
import { z } from "zod";
import * as probe from "../harness.ts";

type Fields = NonNullable<ConstructorParameters<typeof ChatOpenAI>[0]>;

function chat(model: string, fields: Exclude<Fields, string> = {}): ChatOpenAI {
  const configuration = { baseURL: probe.BASE_URL };
  return new ChatOpenAI({ model, apiKey: probe.API_KEY, configuration, maxRetries: 0, ...fields });
}

const tool = {
  type: "function" as const,
  function: { name: probe.TOOL_NAME, parameters: probe.TOOL_SCHEMA },
};

function checkToolCall(message?: AIMessageChunk): void {
  const [call] = message?.tool_calls ?? [];
  assert(call);
  probe.expectFields(call, { name: probe.TOOL_NAME, args: { city: probe.CITY } });
}

/** Expects an error. LangChain throws errors of OpenAI's SDK, with a code added, and does not export their classes. */
async function expectChatFailure(
  scenario: string,
  model: string,
  fields: Exclude<Fields, string> = {},
): Promise<Error> {
  return probe.expectFailure(chat(model, fields).invoke(probe.buildPrompt(scenario)), Error);
}

await probe.runProbe({
  chat: async () => {
    const response = await chat(probe.PLAIN).invoke(probe.buildPrompt("chat"));
    assert.equal(response.text, probe.buildReply("chat"));
    const usage = response.usage_metadata as UsageMetadata;
    assert(usage.total_tokens > 0);
  },
  stream: async () => {
    let text = "";
    for await (const chunk of await chat(probe.STREAMED).stream(probe.buildPrompt("stream")))
      text += chunk.text;
    assert.equal(text, (await chat(probe.PLAIN).invoke(probe.buildPrompt("stream"))).text);
    assert.equal(text, probe.buildReply("stream"));
  },
  tools: async () => {
    checkToolCall(await chat(probe.PLAIN).bindTools([tool]).invoke(probe.buildPrompt("tools")));
  },
  "tools streamed": async () => {
    const model = chat(probe.STREAMED).bindTools([tool]);
    const chunks = await Array.fromAsync(await model.stream(probe.buildPrompt("tools streamed")));
    const whole = chunks.reduce((before, chunk) => before.concat(chunk));
    checkToolCall(whole);
  },
  "structured output": async () => {
    const report = z.object({ city: z.string(), celsius: z.int() });
    const model = chat(probe.PLAIN).withStructuredOutput(report, { method: "jsonSchema" });
    assert.deepEqual(await model.invoke(probe.buildPrompt("structured output")), probe.REPORT);
  },
  "image input": async () => {
    const content = [
      { type: "text", text: probe.buildPrompt("image input") },
      { type: "image_url", image_url: { url: probe.PICTURE_URL } },
    ];
    const response = await chat(probe.PLAIN).invoke([new HumanMessage({ content })]);
    assert.equal(response.text, probe.buildReply("image input"));
  },
  "401": async () => {
    const error = await expectChatFailure("401", probe.PLAIN, { apiKey: probe.WRONG_KEY });
    assert.equal(error.constructor.name, "AuthenticationError");
    probe.expectFields(error, {
      status: 401,
      code: "invalid_api_key",
      lc_error_code: "MODEL_AUTHENTICATION",
    });
  },
  "400": async () => {
    const error = await expectChatFailure("400", probe.PLAIN, { temperature: 3 });
    assert.equal(error.constructor.name, "BadRequestError");
    probe.expectFields(error, { status: 400, code: "invalid_value", param: "temperature" });
  },
  "404": async () => {
    const error = await expectChatFailure("404", probe.failing(404));
    assert.equal(error.constructor.name, "NotFoundError");
    probe.expectFields(error, { status: 404, code: 404, lc_error_code: "MODEL_NOT_FOUND" });
  },
  "429": async () => {
    const error = await expectChatFailure("429", probe.failing(429));
    assert.equal(error.constructor.name, "RateLimitError");
    probe.expectFields(error, { status: 429, code: 429, lc_error_code: "MODEL_RATE_LIMIT" });
  },
  "500": async () => {
    const error = await expectChatFailure("500", probe.failing(500));
    assert.equal(error.constructor.name, "InternalServerError");
    probe.expectFields(error, { status: 500, code: 500 });
  },
  cancel: async () => {
    let chunks = 0;
    for await (const _ of await chat(probe.SLOW).stream(probe.buildPrompt("cancel")))
      if (++chunks === 3) break;
    assert.equal(chunks, 3);
  },
  timeout: async () => {
    const error = await expectChatFailure("timeout", probe.SILENT, { timeout: probe.TIMEOUT_MS });
    assert.equal(error.name, "TimeoutError");
  },
  "retry after 429": async () => {
    const response = await chat(probe.BUSY_ONCE, { maxRetries: 2 }).invoke(
      probe.buildPrompt("retry after 429"),
    );
    assert.equal(response.text, probe.buildReply("retry after 429"));
  },
});
