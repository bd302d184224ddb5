// Probe of OpenRouter's official SDK for Node.
import assert from "node:assert/strict";
import { OpenRouter, type SDKOptions } from "@openrouter/sdk";
import type {
  ChatAssistantMessage,
  ChatFunctionTool,
  ChatMessages,
  ChatRequest,
  ChatResult,
  ChatStreamChunk,
} from "@openrouter/sdk/models";
import {
  BadRequestResponseError,
  InternalServerResponseError,
  NotFoundResponseError,
  OpenRouterError,
  RequestTimeoutError,
  TooManyRequestsResponseError,
} from "@openrouter/sdk/models/errors";
import * as probe from "../harness.ts";

function connect(options: SDKOptions = {}): OpenRouter {
  const retryConfig = { strategy: "none" as const };
  return new OpenRouter({ serverURL: probe.BASE_URL, apiKey: probe.API_KEY, retryConfig, ...options });
}

const client = connect();

function createMessages(scenario: string): ChatMessages[] {
  return [{ role: "user", content: probe.buildPrompt(scenario) }];
}

async function send(chatRequest: ChatRequest, from: OpenRouter = client): Promise<ChatResult> {
  const response = await from.chat.send({ chatRequest: { ...chatRequest, stream: false } });
  assert("choices" in response);
  return response;
}

async function stream(chatRequest: ChatRequest): Promise<AsyncIterable<ChatStreamChunk>> {
  const response = await client.chat.send({ chatRequest: { ...chatRequest, stream: true } });
  assert(!("choices" in response));
  return response;
}

function complete(scenario: string, model: string, from?: OpenRouter): Promise<ChatResult> {
  return send({ model, messages: createMessages(scenario) }, from);
}

const tools: ChatFunctionTool[] = [
  { type: "function", function: { name: probe.TOOL_NAME, parameters: probe.TOOL_SCHEMA, strict: true } },
];

function checkToolCall(
  call: { name?: string | undefined; arguments?: string | undefined } | undefined,
): void {
  assert.equal(call?.name, probe.TOOL_NAME);
  assert.deepEqual(JSON.parse(call.arguments ?? ""), { city: probe.CITY });
}

function readText(message?: ChatAssistantMessage): string {
  assert(typeof message?.content === "string");
  return message.content;
}

await probe.runProbe({
  chat: async () => {
    const response = await complete("chat", probe.PLAIN);
    assert.equal(readText(response.choices[0]?.message), probe.buildReply("chat"));
    assert.equal(response.choices[0]?.finishReason, "stop");
    assert(response.usage && (response.usage.cost ?? 0) > 0);
  },
  stream: async () => {
    let text = "";
    for await (const chunk of await stream({ model: probe.STREAMED, messages: createMessages("stream") })) {
      text += chunk.choices[0]?.delta.content ?? "";
    }
    assert.equal(text, readText((await complete("stream", probe.PLAIN)).choices[0]?.message));
    assert.equal(text, probe.buildReply("stream"));
  },
  tools: async () => {
    const response = await send({ model: probe.PLAIN, messages: createMessages("tools"), tools });
    checkToolCall(response.choices[0]?.message.toolCalls?.[0]?.function);
  },
  "tools streamed": async () => {
    const call = { name: "", arguments: "" };
    const messages = createMessages("tools streamed");
    for await (const chunk of await stream({ model: probe.STREAMED, messages, tools })) {
      const part = chunk.choices[0]?.delta.toolCalls?.[0]?.function;
      call.name += part?.name ?? "";
      call.arguments += part?.arguments ?? "";
    }
    checkToolCall(call);
  },
  "structured output": async () => {
    const schema = {
      type: "object",
      properties: { city: { type: "string" }, celsius: { type: "integer" } },
      required: ["city", "celsius"],
    };
    const response = await send({
      model: probe.PLAIN,
      messages: createMessages("structured output"),
      responseFormat: { type: "json_schema", jsonSchema: { name: "report", schema } },
    });
    assert.deepEqual(JSON.parse(readText(response.choices[0]?.message)), probe.REPORT);
  },
  "image input": async () => {
    const messages: ChatMessages[] = [
      {
        role: "user",
        content: [
          { type: "text", text: probe.buildPrompt("image input") },
          { type: "image_url", imageUrl: { url: probe.PICTURE_URL } },
        ],
      },
    ];
    const response = await send({ model: probe.PLAIN, messages });
    assert.equal(readText(response.choices[0]?.message), probe.buildReply("image input"));
  },
  "models list": async () => {
    const ids: string[] = [];
    for await (const page of await client.models.list()) ids.push(...page.result.data.map(({ id }) => id));
    assert(ids.includes(probe.PLAIN));
  },
  "model retrieve": async () => {
    for (const id of [probe.PLAIN, "meta-llama/llama-3.3-70b-instruct:free"]) {
      const [author = "", slug = ""] = id.split("/");
      probe.expectFields((await client.models.get({ author, slug })).data, { id });
    }
  },
  // The SDK's error classes need OpenRouter's numeric codes. An error of the gateway is therefore an OpenRouterError.
  "401": async () => {
    const call = complete("401", probe.PLAIN, connect({ apiKey: probe.WRONG_KEY }));
    const error = await probe.expectFailure(call, OpenRouterError);
    assert.equal(error.statusCode, 401);
    assert.match(error.body, /"code":"invalid_api_key"/);
  },
  "400": async () => {
    const error = await probe.expectFailure(complete("400", probe.failing(400)), BadRequestResponseError);
    probe.expectFields(error, { statusCode: 400, message: "Invalid request parameters" });
    assert.equal(error.error.code, 400);
  },
  "404": async () => {
    const error = await probe.expectFailure(complete("404", probe.failing(404)), NotFoundResponseError);
    probe.expectFields(error, { statusCode: 404, message: "Resource not found" });
  },
  "429": async () => {
    const error = await probe.expectFailure(
      complete("429", probe.failing(429)),
      TooManyRequestsResponseError,
    );
    probe.expectFields(error, { statusCode: 429, message: "Rate limit exceeded" });
    assert.equal(error.error.code, 429);
  },
  "500": async () => {
    const error = await probe.expectFailure(complete("500", probe.failing(500)), InternalServerResponseError);
    probe.expectFields(error, { statusCode: 500, message: "Internal Server Error" });
  },
  cancel: async () => {
    let chunks = 0;
    for await (const _ of await stream({ model: probe.SLOW, messages: createMessages("cancel") })) {
      if (++chunks === 3) break;
    }
    assert.equal(chunks, 3);
  },
  timeout: async () => {
    const call = complete("timeout", probe.SILENT, connect({ timeoutMs: probe.TIMEOUT_MS }));
    await probe.expectFailure(call, RequestTimeoutError);
  },
  "retry after 429": async () => {
    const chatRequest = {
      model: probe.BUSY_ONCE,
      messages: createMessages("retry after 429"),
      stream: false as const,
    };
    const retries = { strategy: "backoff" as const };
    const response = await client.chat.send({ chatRequest }, { retries, retryCodes: ["429", "5XX"] });
    assert("choices" in response);
    assert.equal(readText(response.choices[0]?.message), probe.buildReply("retry after 429"));
  },
});
