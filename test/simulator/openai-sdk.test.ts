import OpenAI from "openai";
import { expect, test } from "vitest";
import type { Simulator } from "../../tools/simulator/simulator.ts";
import { startTestSimulator } from "../support/simulator.ts";

const MODEL = "openai/gpt-5-mini";

async function setUp(): Promise<{ client: OpenAI; simulator: Simulator }> {
  const simulator = await startTestSimulator();
  const client = new OpenAI({ baseURL: simulator.baseUrl, apiKey: "sk-or-v1-test", maxRetries: 0 });
  return { client, simulator };
}

test.each([0, 1])("responses.stream reads text and usage with eventLines=%i", async (eventLines) => {
  const { client, simulator } = await setUp();
  const stream = client.responses.stream({ model: `sim/ok:eventLines=${eventLines}`, input: "Grüße 🎉" });
  const deltas: string[] = [];
  for await (const event of stream) {
    if (event.type === "response.output_text.delta") deltas.push(event.delta);
  }
  const { id, output_text: text, usage } = await stream.finalResponse();
  expect(text).toMatch(/^Echo: Grüße 🎉/);
  expect(deltas.join("")).toBe(text);
  expect(usage?.input_tokens).toBe(2);
  expect(simulator.findBilledNanodollars(id)).toBeGreaterThan(0);
});

test("responses.create calls a function, and reads reasoning and text after its result", async () => {
  const { client } = await setUp();
  const tools: OpenAI.Responses.Tool[] = [
    {
      type: "function",
      name: "shell",
      strict: false,
      parameters: { type: "object", properties: { cmd: { type: "string" } }, required: ["cmd"] },
    },
  ];
  const first = await client.responses.create({ model: MODEL, input: "?", tools });
  const call = first.output.find(({ type }) => type === "function_call");
  if (call?.type !== "function_call") throw new Error("no call");
  expect(JSON.parse(call.arguments)).toEqual({ cmd: "echo hello" });
  const result = { type: "function_call_output", call_id: call.call_id, output: "hello" } as const;
  const input = [{ role: "user", content: "?" } as const, call, result];
  const stream = client.responses.stream({ model: MODEL, input, tools, reasoning: { effort: "low" } });
  const second = await stream.finalResponse();
  expect(second.output.map(({ type }) => type)).toEqual(["reasoning", "message"]);
  expect(second.output_text).toBe("Echo: ? — ¡olé! 👋🏽 你好");
});

test("responses.parse reads structured output", async () => {
  const { client } = await setUp();
  const schema = { type: "object", properties: { n: { type: "integer" } }, required: ["n"] };
  const format = { type: "json_schema", name: "x", schema } as const;
  const response = await client.responses.parse({ model: MODEL, input: "?", text: { format } });
  expect(JSON.parse(response.output_text)).toEqual({ n: 1 });
});

test("responses.create shows the reason of a stream that fails", async () => {
  const { client } = await setUp();
  const model = "sim/error-midstream:status=429";
  const events: OpenAI.Responses.ResponseStreamEvent[] = [];
  for await (const event of await client.responses.create({ model, input: "?", stream: true }))
    events.push(event);
  expect(events.at(-1)).toMatchObject({
    type: "response.failed",
    response: { error: { code: "rate_limit_exceeded", message: "Rate limit exceeded" } },
  });
});

test.each(["float", "base64", undefined] as const)("embeddings.create reads %s", async (format) => {
  const { client, simulator } = await setUp();
  const { data, usage } = await client.embeddings.create({
    model: "openai/text-embedding-3-small",
    input: ["Ruby", "Python"],
    dimensions: 4,
    ...(format && { encoding_format: format }),
  });
  // The client asks for base64 and decodes it if the caller names no format.
  expect(data.map(({ embedding }) => embedding.length)).toEqual(format === "base64" ? [24, 24] : [4, 4]);
  expect(usage.prompt_tokens).toBe(3);
  expect(simulator.readStats().billedNanodollars).toBe(60);
});

test("completions.create reads plain and streamed texts", async () => {
  const { client } = await setUp();
  const plain = await client.completions.create({ model: MODEL, prompt: "Once" });
  const texts: string[] = [];
  for await (const { choices } of await client.completions.create({
    model: MODEL,
    prompt: "Once",
    stream: true,
  }))
    texts.push(choices[0]?.text ?? "");
  expect(texts.join("")).toBe(plain.choices[0]?.text);
  expect(plain).toMatchObject({ object: "text_completion", usage: { prompt_tokens: 1 } });
});

test("every error of the endpoints is an APIError with its message", async () => {
  const { client } = await setUp();
  const model = "sim/error:status=402";
  const requests = [
    () => client.responses.create({ model, input: "?" }),
    () => client.embeddings.create({ model, input: "?" }),
    () => client.completions.create({ model, prompt: "?" }),
  ];
  for (const request of requests) {
    await expect(request()).rejects.toMatchObject({
      status: 402,
      message: expect.stringContaining("Insufficient credits") as string,
    });
  }
});
