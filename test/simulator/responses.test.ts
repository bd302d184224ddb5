import { expect, test } from "vitest";
import {
  sendChat,
  completeChat,
  readError,
  parseEvents,
  sendRawChat,
  startTestSimulator,
  streamChat,
} from "../support/simulator.ts";
import { waitFor } from "../support/wait.ts";

const WEATHER = {
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

test("a plain response consists of keep-alive white space and JSON, and has no content-length header", async () => {
  const simulator = await startTestSimulator();
  const response = await sendChat(simulator, {});
  const text = await response.text();
  expect(response.headers.get("content-type")).toBe("application/json");
  expect(response.headers.has("content-length")).toBe(false);
  expect(text).toMatch(/^(\n {9}\n)+\{"id":"gen-\d+-\w{20}"/);
  expect(JSON.parse(text)).toMatchObject({
    id: response.headers.get("x-generation-id"),
    object: "chat.completion",
    model: "openai/gpt-4o-mini",
    provider: "OpenAI",
    choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", reasoning: null } }],
    usage: { is_byok: false, prompt_tokens: 3 },
  });
  expect(text).toContain("Echo: Grüße, 世界 🎉");
});

test("a response has headers that a gateway must not relay, and others that it may relay", async () => {
  const { headers } = await sendChat(await startTestSimulator(), {});
  expect(headers.get("set-cookie")).toMatch(/^__cf_bm=/);
  expect(headers.get("server")).toBe("cloudflare");
  expect(headers.get("cf-ray")).not.toBeNull();
  expect(headers.get("access-control-allow-origin")).toBe("*");
  expect(headers.get("x-provider-name")).toBeNull();
});

test("a stream begins with a comment, sends its usage in a last chunk, and ends with [DONE]", async () => {
  const simulator = await startTestSimulator();
  const response = await sendChat(simulator, { stream: true });
  const text = await response.text();
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  expect(response.headers.get("cache-control")).toBe("no-cache");
  expect(text.startsWith(": OPENROUTER PROCESSING\n\ndata: {")).toBe(true);
  expect(text.indexOf(": OPENROUTER", 30)).toBeGreaterThan(0);
  expect(text.endsWith("}\n\ndata: [DONE]\n\n")).toBe(true);
  const events = parseEvents(text);
  const [beforeLast, last] = events.slice(-2);
  expect(beforeLast?.choices).toEqual(last?.choices);
  expect(last?.choices[0]?.finish_reason).toBe("stop");
  expect(last?.usage?.completion_tokens).toBeGreaterThan(0);
  expect(events).toHaveLength(6 + 2);
});

test("streamed and plain responses have the same text and cost", async () => {
  const simulator = await startTestSimulator();
  const fields = { model: "sim/ok:events=40,padBytes=10" };
  const plain = await completeChat(simulator, fields);
  const events = parseEvents(await streamChat(simulator, fields));
  const text = events.map((event) => event.choices[0]?.delta.content).join("");
  expect(text).toBe(plain.choices[0]?.message.content);
  expect(events.at(-1)?.usage).toEqual(plain.usage);
});

test("calls a tool with arguments that match its schema", async () => {
  const tools = [{ type: "openrouter:web_search" }, WEATHER];
  const [choice] = (await completeChat(await startTestSimulator(), { tools })).choices;
  expect(choice).toMatchObject({ finish_reason: "tool_calls", message: { content: null } });
  const [call] = choice?.message.tool_calls ?? [];
  expect(JSON.parse(call?.function.arguments ?? "")).toEqual({ city: "Zürich 🗼", days: 1 });
});

test("streams the name of a tool call first, then its arguments in fragments", async () => {
  const events = parseEvents(await streamChat(await startTestSimulator(), { tools: [WEATHER] }));
  const calls = events.flatMap((event) => event.choices[0]?.delta.tool_calls ?? []);
  expect(calls[0]).toMatchObject({ function: { name: "weather", arguments: "" } });
  expect(calls[0]?.id).toMatch(/^call_/);
  expect(calls.length).toBeGreaterThan(3);
  const text = calls.map((call) => call.function.arguments).join("");
  expect(JSON.parse(text)).toEqual({ city: "Zürich 🗼", days: 1 });
  expect(events.at(-1)?.choices[0]?.finish_reason).toBe("tool_calls");
});

test("calls no tool after a tool's result, nor with tool_choice none", async () => {
  const simulator = await startTestSimulator();
  const messages = [
    { role: "user", content: "?" },
    { role: "tool", content: "17 °C" },
  ];
  const responses = [
    await completeChat(simulator, { tools: [WEATHER], messages }),
    await completeChat(simulator, { tools: [WEATHER], tool_choice: "none" }),
  ];
  for (const response of responses) expect(response.choices[0]?.message.content).toMatch(/^Echo: /);
});

test("structured output matches its schema", async () => {
  const simulator = await startTestSimulator();
  const schema = { type: "object", properties: { n: { type: "integer", minimum: 7 } }, required: ["n"] };
  const formats = [{ type: "json_schema", json_schema: { name: "x", schema } }, { type: "json_object" }];
  const contents = await Promise.all(
    formats.map(
      async (format) =>
        (await completeChat(simulator, { response_format: format })).choices[0]?.message.content,
    ),
  );
  expect(contents).toEqual(['{"n":7}', '{"ok":true}']);
});

test("returns reasoning for reasoning models, and for others on request", async () => {
  const simulator = await startTestSimulator();
  const bodies = [{ model: "deepseek/deepseek-r1:free" }, { reasoning: { effort: "low" } }];
  for (const body of bodies) {
    const plain = await completeChat(simulator, body);
    expect(plain.choices[0]?.message).toMatchObject({ reasoning_details: [{ type: "reasoning.text" }] });
    const events = parseEvents(await streamChat(simulator, body));
    const reasoning = events.map((event) => event.choices[0]?.delta.reasoning ?? "").join("");
    expect(reasoning).toBe(plain.choices[0]?.message.reasoning);
  }
});

function anonymous(body: string): string {
  return body.replaceAll(/gen-\d+-\w+|"created":\d+/g, "");
}

test.each([1, 7, 64])("a body that is split into writes of %i bytes is unchanged", async (split) => {
  const simulator = await startTestSimulator();
  const text = await streamChat(simulator, { model: `sim/ok:split=${split}` });
  const usual = await streamChat(simulator, { model: "sim/ok" });
  expect(anonymous(text)).toBe(anonymous(usual));
});

test("a split body arrives in many reads, some of which end within a character", async () => {
  const simulator = await startTestSimulator();
  const { reads } = await sendRawChat(simulator, { model: "sim/ok:split=1", stream: true }, (text) =>
    text.endsWith("\r\n0\r\n\r\n"),
  );
  expect(reads.length).toBeGreaterThan(50);
  expect(reads.filter((read) => read.toString().includes("\u{FFFD}"))).not.toHaveLength(0);
});

test("sends white space at intervals before a slow JSON response", async () => {
  const simulator = await startTestSimulator();
  const startedAtMs = performance.now();
  const response = await sendChat(simulator, { model: "sim/ok:whitespace=4,gapMs=10" });
  const headAtMs = performance.now();
  const text = await waitFor(response.text(), "slow JSON");
  expect(text.startsWith("\n         \n".repeat(4) + "{")).toBe(true);
  expect(performance.now() - startedAtMs).toBeGreaterThan(38);
  expect(performance.now() - headAtMs).toBeGreaterThan(20);
});

test.each([
  ["", "Invalid JSON body"],
  ["[]", "Invalid JSON body"],
  ["{}", 'Input required: specify "messages"'],
  ['{"messages":[]}', "No models provided"],
  ['{"messages":[],"model":"x/y"}', "x/y is not a valid model ID"],
  ['{"messages":[],"model":"openrouter/openai/gpt-4o"}', "openrouter/openai/gpt-4o is not a valid model ID"],
  ['{"messages":[],"model":"sim/ok:colour=1"}', 'Unknown option "colour"'],
])("rejects %j with %s", async (body, message) => {
  const simulator = await startTestSimulator();
  const refused = await readError(await sendChat(simulator, {}, { body }));
  expect(refused.status).toBe(400);
  expect(refused.body.error.code).toBe(400);
  expect(refused.body.error.message).toContain(message);
});

test.each([
  "openai/gpt-4o:online",
  "openai/gpt-4o@preset/x",
  "@preset/x",
  "openrouter/auto",
  "~openai/gpt-latest",
])("accepts %s as a model", async (model) => {
  expect((await sendChat(await startTestSimulator(), { model })).status).toBe(200);
});

test("uses the first of `models` when `model` is absent", async () => {
  const response = await completeChat(await startTestSimulator(), {
    model: undefined,
    models: ["anthropic/claude-haiku-4.5"],
  });
  expect(response.model).toBe("anthropic/claude-4.5-haiku-20251001");
});
