// The scenarios of OpenAI's official SDK for Node. All versions of the SDK share them; `OpenAiSdk` has the differences.
import assert from "node:assert/strict";
import * as probe from "./harness.ts";

interface Message {
  readonly role: "user";
  readonly content: string | (TextPart | ImagePart)[];
}

interface TextPart {
  readonly type: "text";
  readonly text: string;
}

interface ImagePart {
  readonly type: "image_url";
  readonly image_url: { readonly url: string };
}

interface ChatRequest {
  readonly model: string;
  readonly messages: Message[];
  readonly temperature?: number;
  readonly tools?: (typeof TOOL)[];
}

interface ResponseMessage {
  readonly content: string | null;
  readonly tool_calls?: { readonly type: string; readonly function?: { name: string; arguments: string } }[];
}

interface Completion {
  readonly choices: { readonly finish_reason: string; readonly message: ResponseMessage }[];
  readonly usage?: { readonly total_tokens: number };
}

interface Chunk {
  readonly choices: { readonly finish_reason: string | null; readonly delta: { content?: string | null } }[];
}

/** The part of the SDK's client that the scenarios use. */
interface Client {
  readonly chat: {
    readonly completions: {
      create(request: ChatRequest & { readonly stream: true }): PromiseLike<AsyncIterable<Chunk>>;
      create(request: ChatRequest): PromiseLike<Completion>;
    };
  };
  readonly models: {
    list(): AsyncIterable<{ readonly id: string }> & PromiseLike<unknown>;
    retrieve(id: string): PromiseLike<object>;
  };
}

type ErrorName =
  | "APIConnectionTimeoutError"
  | "AuthenticationError"
  | "BadRequestError"
  | "InternalServerError"
  | "NotFoundError"
  | "RateLimitError";

/** A version of the SDK: how to create its client, and the names that differ between versions. */
export interface OpenAiSdk {
  /** Creates a client. It retries only if the options set `maxRetries`. */
  readonly connect: (options?: { apiKey?: string; maxRetries?: number; timeout?: number }) => Client;
  readonly errors: Readonly<Record<ErrorName, new (...args: never[]) => Error>>;
  /** Streams a chat completion with the SDK's helper. @returns the completion that the helper assembles. */
  readonly streamToEnd: (request: ChatRequest) => Promise<Completion>;
  /** Requests `probe.REPORT` with the SDK's helper for structured output. @returns the parsed output. */
  readonly parseReport: (request: ChatRequest) => Promise<unknown>;
  /** The field of an error that contains the request id. */
  readonly requestIdField: string;
}

const TOOL = {
  type: "function" as const,
  function: { name: probe.TOOL_NAME, parameters: probe.TOOL_SCHEMA, strict: true },
};

function createMessages(scenario: string): Message[] {
  return [{ role: "user", content: probe.buildPrompt(scenario) }];
}

function checkToolCall(message: ResponseMessage | undefined): void {
  const call = message?.tool_calls?.[0];
  assert.equal(call?.type, "function");
  assert.equal(call?.function?.name, probe.TOOL_NAME);
  assert.deepEqual(JSON.parse(call?.function?.arguments ?? ""), { city: probe.CITY });
}

function createChatScenarios(sdk: OpenAiSdk): probe.Scenarios {
  const create = bindCreate(sdk.connect());
  return {
    chat: async () => {
      const completion = await create("chat", probe.PLAIN);
      assert.equal(completion.choices[0]?.message.content, probe.buildReply("chat"));
      assert.equal(completion.choices[0].finish_reason, "stop");
      assert(completion.usage && completion.usage.total_tokens > 0);
    },
    stream: async () => {
      let text = "";
      let finish: string | null = null;
      for await (const chunk of await createStream(sdk, "stream", probe.STREAMED)) {
        text += chunk.choices[0]?.delta.content ?? "";
        finish = chunk.choices[0]?.finish_reason ?? finish;
      }
      assert.equal(text, (await create("stream", probe.PLAIN)).choices[0]?.message.content);
      assert.equal(text, probe.buildReply("stream"));
      assert.equal(finish, "stop");
    },
    tools: async () => {
      const completion = await create("tools", probe.PLAIN, { tools: [TOOL] });
      assert.equal(completion.choices[0]?.finish_reason, "tool_calls");
      checkToolCall(completion.choices[0].message);
    },
    "tools streamed": async () => {
      const messages = createMessages("tools streamed");
      const completion = await sdk.streamToEnd({ model: probe.STREAMED, messages, tools: [TOOL] });
      checkToolCall(completion.choices[0]?.message);
    },
    "structured output": async () => {
      const messages = createMessages("structured output");
      assert.deepEqual(await sdk.parseReport({ model: probe.PLAIN, messages }), probe.REPORT);
    },
    "image input": async () => {
      const content: Message["content"] = [
        { type: "text", text: probe.buildPrompt("image input") },
        { type: "image_url", image_url: { url: probe.PICTURE_URL } },
      ];
      const completion = await create("image input", probe.PLAIN, { messages: [{ role: "user", content }] });
      assert.equal(completion.choices[0]?.message.content, probe.buildReply("image input"));
    },
  };
}

function createModelScenarios({ connect, errors }: OpenAiSdk): probe.Scenarios {
  const { models } = connect();
  return {
    "models list": async () => {
      const ids: string[] = [];
      for await (const model of models.list()) ids.push(model.id);
      assert(ids.includes(probe.PLAIN));
    },
    "model retrieve": async () => {
      for (const id of [probe.PLAIN, "meta-llama/llama-3.3-70b-instruct:free"]) {
        probe.expectFields(await models.retrieve(id), { id, object: "model", owned_by: id.split("/")[0] });
      }
    },
    "404": async () => {
      const error = await probe.expectFailure(models.retrieve("openai/no-such-model"), errors.NotFoundError);
      probe.expectFields(error, { status: 404, code: "model_not_found", param: "model" });
    },
  };
}

function createErrorScenarios({ connect, errors, requestIdField }: OpenAiSdk): probe.Scenarios {
  const create = bindCreate(connect());
  return {
    "401": async () => {
      const unknownClient = connect({ apiKey: probe.WRONG_KEY });
      const error = await probe.expectFailure(unknownClient.models.list(), errors.AuthenticationError);
      probe.expectFields(error, { status: 401, code: "invalid_api_key", type: "authentication_error" });
      assert(Reflect.get(error, requestIdField));
    },
    "400": async () => {
      const request = create("400", probe.PLAIN, { temperature: 3 });
      const error = await probe.expectFailure(request, errors.BadRequestError);
      probe.expectFields(error, { status: 400, code: "invalid_value", param: "temperature" });
      assert.match(error.message, /temperature must be/);
    },
    "429": async () => {
      const error = await probe.expectFailure(create("429", probe.failing(429)), errors.RateLimitError);
      probe.expectFields(error, { status: 429, code: 429 });
      assert.match(error.message, /Rate limit exceeded/);
    },
    "500": async () => {
      const error = await probe.expectFailure(create("500", probe.failing(500)), errors.InternalServerError);
      probe.expectFields(error, { status: 500, code: 500 });
      assert.match(error.message, /Internal Server Error/);
    },
  };
}

function createTimeScenarios(sdk: OpenAiSdk): probe.Scenarios {
  return {
    cancel: async () => {
      let chunks = 0;
      for await (const _ of await createStream(sdk, "cancel", probe.SLOW)) if (++chunks === 3) break;
      assert.equal(chunks, 3);
    },
    timeout: async () => {
      const create = bindCreate(sdk.connect({ timeout: probe.TIMEOUT_MS }));
      await probe.expectFailure(create("timeout", probe.SILENT), sdk.errors.APIConnectionTimeoutError);
    },
    "retry after 429": async () => {
      const create = bindCreate(sdk.connect({ maxRetries: 2 }));
      const completion = await create("retry after 429", probe.BUSY_ONCE);
      assert.equal(completion.choices[0]?.message.content, probe.buildReply("retry after 429"));
    },
  };
}

type Create = (scenario: string, model: string, more?: Partial<ChatRequest>) => PromiseLike<Completion>;

/** @returns a function that requests a chat completion for a scenario. The fields of `more` replace those of the request. */
function bindCreate({ chat: { completions } }: Client): Create {
  return (scenario, model, more = {}) =>
    completions.create({ model, messages: createMessages(scenario), ...more });
}

function createStream(
  { connect }: OpenAiSdk,
  scenario: string,
  model: string,
): PromiseLike<AsyncIterable<Chunk>> {
  const { completions } = connect().chat;
  return completions.create({ model, messages: createMessages(scenario), stream: true });
}

/** Runs the scenarios with a version of the SDK, and `more` scenarios, and prints the result of each. */
export async function runOpenAiProbe(sdk: OpenAiSdk, more: probe.Scenarios = {}): Promise<void> {
  await probe.runProbe({
    ...createChatScenarios(sdk),
    ...createModelScenarios(sdk),
    ...createErrorScenarios(sdk),
    ...createTimeScenarios(sdk),
    ...more,
  });
}
