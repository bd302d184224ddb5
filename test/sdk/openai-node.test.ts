import type OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { expect, test } from "vitest";
import { z } from "zod";
import { HELLO, MODEL, setUpClient } from "./client.ts";

type Params = OpenAI.Chat.ChatCompletionCreateParamsNonStreaming;

const WEATHER: OpenAI.Chat.ChatCompletionTool = {
  type: "function",
  function: {
    name: "weather",
    parameters: {
      type: "object",
      properties: { city: { type: "string" }, days: { type: "integer" } },
      required: ["city", "days"],
    },
  },
};

test("returns a chat completion with OpenRouter's fields, and forwards the body byte for byte except for the prefix", async () => {
  const { client, simulator } = await setUpClient();
  const params: Params = { model: MODEL, messages: HELLO, seed: 7, metadata: { model: MODEL } };
  const {
    data,
    response,
    request_id: requestId,
  } = await client.chat.completions.create(params).withResponse();
  expect(data.choices[0]?.message.content).toContain("Grüße, 世界 🌊");
  expect(data).toMatchObject({ object: "chat.completion", provider: "OpenAI", usage: { is_byok: false } });
  expect(requestId).toMatch(/^[\w.-]+$/);
  expect(response.headers.get("x-generation-id")).toBe(data.id);
  expect(simulator.seen[0]?.body.toString()).toBe(JSON.stringify({ ...params, model: "openai/gpt-4o-mini" }));
});

test("streams the same text as a plain response, in pieces", async () => {
  const { client } = await setUpClient();
  const plain = await client.chat.completions.create({ model: MODEL, messages: HELLO });
  const stream = await client.chat.completions.create({ model: MODEL, messages: HELLO, stream: true });
  let text = "";
  let pieces = 0;
  let usage: OpenAI.CompletionUsage | null | undefined;
  for await (const chunk of stream) {
    const content = chunk.choices[0]?.delta.content ?? "";
    text += content;
    pieces += content === "" ? 0 : 1;
    usage = chunk.usage ?? usage;
  }
  expect(text).toBe(plain.choices[0]?.message.content);
  expect(pieces).toBeGreaterThan(3);
  expect(usage).toEqual(plain.usage);
});

test.each(["sim/ok:split=1", "sim/ok:split=7,comments=20", "sim/crlf", "sim/debug", "sim/empty-choices"])(
  "the streaming helper assembles the response of %s",
  async (model) => {
    const { client } = await setUpClient();
    const stream = client.chat.completions.stream({ model, messages: HELLO });
    const deltas: string[] = [];
    stream.on("content", (delta) => deltas.push(delta));
    const completion = await stream.finalChatCompletion();
    expect(completion.choices[0]?.message.content).toContain("Grüße, 世界 🌊");
    expect(deltas.join("")).toBe(completion.choices[0]?.message.content);
    expect(completion.choices[0]?.finish_reason).toBe("stop");
    expect((await stream.totalUsage()).completion_tokens).toBeGreaterThan(0);
  },
);

test("calls tools, plain and streamed, and forwards their results", async () => {
  const { client } = await setUpClient();
  const params = { model: MODEL, messages: HELLO, tools: [WEATHER] };
  const plain = await client.chat.completions.create(params);
  const message = plain.choices[0]?.message;
  const call = message?.tool_calls?.[0];
  if (call?.type !== "function") throw new Error("no function was called");
  expect(plain.choices[0]?.finish_reason).toBe("tool_calls");
  expect(call.function.name).toBe("weather");
  expect(JSON.parse(call.function.arguments)).toEqual({
    city: expect.any(String) as string,
    days: expect.any(Number) as number,
  });

  const streamed = await client.chat.completions.stream(params).finalChatCompletion();
  expect(streamed.choices[0]?.message.tool_calls?.[0]).toMatchObject({
    type: "function",
    function: { name: "weather", arguments: call.function.arguments },
  });

  const result = { role: "tool", tool_call_id: call.id, content: "21.50" } as const;
  const response = await client.chat.completions.create({
    ...params,
    messages: [...HELLO, { role: "assistant", content: null, tool_calls: [call] }, result],
  });
  expect(response.choices[0]?.finish_reason).toBe("stop");
});

const Forecast = z.object({
  city: z.string(),
  days: z.array(z.object({ high: z.number(), rain: z.boolean() })),
});

test("parses structured output, plain and streamed", async () => {
  const { client } = await setUpClient();
  const params = { model: MODEL, messages: HELLO, response_format: zodResponseFormat(Forecast, "forecast") };
  const plain = await client.chat.completions.parse(params);
  const parsed = Forecast.parse(plain.choices[0]?.message.parsed);
  expect(parsed.days.length).toBeGreaterThan(0);
  const streamed = await client.chat.completions.stream(params).finalChatCompletion();
  expect(streamed.choices[0]?.message.parsed).toEqual(parsed);
});

test("forwards an image unchanged", async () => {
  const { client, simulator } = await setUpClient();
  const url = `data:image/png;base64,${Buffer.alloc(300_000, "ab/+").toString("base64")}`;
  const content: OpenAI.Chat.ChatCompletionContentPart[] = [
    { type: "text", text: "What is this?" },
    { type: "image_url", image_url: { url, detail: "high" } },
  ];
  const params: Params = { model: MODEL, messages: [{ role: "user", content }] };
  const response = await client.chat.completions.create(params);
  expect(response.choices[0]?.message.content).toContain("What is this?");
  expect(simulator.seen[0]?.body.toString()).toBe(JSON.stringify({ ...params, model: "openai/gpt-4o-mini" }));
});

test("lists models, and finds them with and without the prefix", async () => {
  const { client } = await setUpClient();
  const models: OpenAI.Model[] = [];
  for await (const model of client.models.list()) models.push(model);
  const ids = models.map(({ id }) => id);
  expect(ids).toEqual(
    expect.arrayContaining(["openai/gpt-4o-mini", "~openai/gpt-latest", "openrouter/auto"]),
  );
  const expected = { id: "openai/gpt-4o-mini", object: "model", owned_by: "openai", context_length: 128_000 };
  for (const id of ["openai/gpt-4o-mini", MODEL]) {
    expect(await client.models.retrieve(id)).toMatchObject(expected);
  }
  for (const id of ["openrouter/auto", "~openai/gpt-latest", "meta-llama/llama-3.3-70b-instruct:free"]) {
    expect(await client.models.retrieve(id)).toMatchObject({ id });
  }
});

test("accepts a base URL with a slash at its end", async () => {
  const { gateway, client } = await setUpClient();
  const other = client.withOptions({ baseURL: `${gateway.url}/openai/v1/` });
  expect((await other.models.list()).data.length).toBeGreaterThan(0);
  expect((await other.chat.completions.create({ model: MODEL, messages: HELLO })).choices).toHaveLength(1);
});
