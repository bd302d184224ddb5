// The official SDK of OpenAI for Node.
import assert from "node:assert/strict";
import {
  APIConnectionTimeoutError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  OpenAI,
  RateLimitError,
} from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import * as probe from "../harness.ts";

const client = new OpenAI({ baseURL: probe.BASE_URL, apiKey: probe.API_KEY, maxRetries: 0 });

function asking(scenario: string): OpenAI.ChatCompletionMessageParam[] {
  return [{ role: "user", content: probe.promptOf(scenario) }];
}

function ask(scenario: string, model: string): Promise<OpenAI.ChatCompletion> {
  return client.chat.completions.create({ model, messages: asking(scenario) });
}

const tools: OpenAI.ChatCompletionTool[] = [
  { type: "function", function: { name: probe.TOOL_NAME, parameters: probe.TOOL_SCHEMA, strict: true } },
];

function checkToolCall(message: OpenAI.ChatCompletionMessage | undefined): void {
  const call = message?.tool_calls?.[0];
  assert(call?.type === "function");
  assert.equal(call.function.name, probe.TOOL_NAME);
  assert.deepEqual(JSON.parse(call.function.arguments), { city: probe.CITY });
}

await probe.runProbe({
  chat: async () => {
    const answer = await ask("chat", probe.PLAIN);
    assert.equal(answer.choices[0]?.message.content, probe.answerTo("chat"));
    assert.equal(answer.choices[0].finish_reason, "stop");
    assert(answer.usage && answer.usage.total_tokens > 0);
  },
  stream: async () => {
    const stream = await client.chat.completions.create({
      model: probe.STREAMED,
      messages: asking("stream"),
      stream: true,
    });
    let text = "";
    let finish: string | null = null;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      finish = chunk.choices[0]?.finish_reason ?? finish;
    }
    assert.equal(text, (await ask("stream", probe.PLAIN)).choices[0]?.message.content);
    assert.equal(text, probe.answerTo("stream"));
    assert.equal(finish, "stop");
  },
  tools: async () => {
    const answer = await client.chat.completions.create({
      model: probe.PLAIN,
      messages: asking("tools"),
      tools,
    });
    assert.equal(answer.choices[0]?.finish_reason, "tool_calls");
    checkToolCall(answer.choices[0].message);
  },
  "tools streamed": async () => {
    const messages = asking("tools streamed");
    const stream = client.chat.completions.stream({ model: probe.STREAMED, messages, tools });
    const answer = await stream.finalChatCompletion();
    checkToolCall(answer.choices[0]?.message);
  },
  "structured output": async () => {
    const report = z.object({ city: z.string(), celsius: z.int() });
    const answer = await client.chat.completions.parse({
      model: probe.PLAIN,
      messages: asking("structured output"),
      response_format: zodResponseFormat(report, "report"),
    });
    assert.deepEqual(answer.choices[0]?.message.parsed, probe.REPORT);
  },
  "image input": async () => {
    const content: OpenAI.ChatCompletionContentPart[] = [
      { type: "text", text: probe.promptOf("image input") },
      { type: "image_url", image_url: { url: probe.PICTURE_URL } },
    ];
    const answer = await client.chat.completions.create({
      model: probe.PLAIN,
      messages: [{ role: "user", content }],
    });
    assert.equal(answer.choices[0]?.message.content, probe.answerTo("image input"));
  },
  "models list": async () => {
    const ids: string[] = [];
    for await (const model of client.models.list()) ids.push(model.id);
    assert(ids.includes(probe.PLAIN));
  },
  "model retrieve": async () => {
    for (const id of [probe.PLAIN, "meta-llama/llama-3.3-70b-instruct:free"]) {
      probe.has(await client.models.retrieve(id), { id, object: "model", owned_by: id.split("/")[0] });
    }
  },
  "401": async () => {
    const stranger = client.withOptions({ apiKey: probe.WRONG_KEY });
    const error = await probe.failure(stranger.models.list(), AuthenticationError);
    probe.has(error, { status: 401, code: "invalid_api_key", type: "authentication_error" });
    assert(error.requestID);
  },
  "400": async () => {
    const request = { model: probe.PLAIN, messages: asking("400"), temperature: 3 };
    const error = await probe.failure(client.chat.completions.create(request), BadRequestError);
    probe.has(error, { status: 400, code: "invalid_value", param: "temperature" });
    assert.match(error.message, /temperature must be/);
  },
  "404": async () => {
    const error = await probe.failure(client.models.retrieve("openai/no-such-model"), NotFoundError);
    probe.has(error, { status: 404, code: "model_not_found", param: "model" });
  },
  "429": async () => {
    const error = await probe.failure(ask("429", probe.failing(429)), RateLimitError);
    probe.has(error, { status: 429, code: 429 });
    assert.match(error.message, /Rate limit exceeded/);
  },
  "500": async () => {
    const error = await probe.failure(ask("500", probe.failing(500)), InternalServerError);
    probe.has(error, { status: 500, code: 500 });
    assert.match(error.message, /Internal Server Error/);
  },
  cancel: async () => {
    const stream = await client.chat.completions.create({
      model: probe.SLOW,
      messages: asking("cancel"),
      stream: true,
    });
    let chunks = 0;
    for await (const _ of stream) if (++chunks === 3) break;
    assert.equal(chunks, 3);
  },
  timeout: async () => {
    const asked = client.withOptions({ timeout: probe.TIMEOUT_MS }).chat.completions.create({
      model: probe.SILENT,
      messages: asking("timeout"),
    });
    await probe.failure(asked, APIConnectionTimeoutError);
  },
  "retry after 429": async () => {
    const patient = client.withOptions({ maxRetries: 2 });
    const answer = await patient.chat.completions.create({
      model: probe.BUSY_ONCE,
      messages: asking("retry after 429"),
    });
    assert.equal(answer.choices[0]?.message.content, probe.answerTo("retry after 429"));
  },
});
