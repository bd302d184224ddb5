import { expect, test, vi } from "vitest";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { startTestSimulator } from "../support/simulator.ts";
import { createTestFinder } from "../support/worst-case.ts";

async function start() {
  const simulator = await startTestSimulator();
  return { simulator, ...createTestFinder(simulator.baseUrl) };
}

const CHAT = {
  model: "openrouter/openai/gpt-4o-mini",
  messages: [{ role: "user", content: "Hi" }],
  max_tokens: 100,
};

test("the bound is a promise until the prices are cached, and concurrent look-ups share a fetch", async () => {
  const { simulator, find } = await start();
  const both = [find("chat/completions", CHAT), find("chat/completions", CHAT)];
  expect(both.every((one) => one instanceof Promise)).toBe(true);
  const [first] = await Promise.all(both.map(async (one) => one));
  expect(first).toMatchObject({ completionTokens: 100, unbounded: [] });
  const bytes = JSON.stringify({ ...CHAT, model: "openai/gpt-4o-mini" }).length;
  expect(first?.nanodollars).toBe((bytes + 1_024 + 16) * 150 + 100 * 600);
  expect(find("chat/completions", CHAT)).toEqual(first);
  expect(find("chat/completions", { ...CHAT, service_tier: "auto" })).not.toBeInstanceOf(Promise);
  expect(simulator.seen.map(({ url }) => url)).toEqual([
    "/api/v1/models",
    "/api/v1/models/openai/gpt-4o-mini/endpoints",
  ]);
});

test("the dearest of all named models and of their endpoints counts", async () => {
  const { find } = await start();
  const cost = async (fields: object): Promise<number> => {
    const { nanodollars } = await find("chat/completions", { ...CHAT, ...fields });
    return nanodollars ?? NaN;
  };
  const one = await cost({ model: "openai/gpt-5-mini" });
  expect(await cost({ model: "openai/gpt-5-mini", models: ["anthropic/claude-opus-5"] })).toBeGreaterThan(
    one,
  );
  expect(await cost({ model: "anthropic/claude-opus-5", speed: "fast" })).toBeGreaterThan(
    await cost({ model: "anthropic/claude-opus-5" }),
  );
  // The priority endpoint costs 450 nanodollars for a prompt token.
  expect(one).toBeGreaterThan(1_100 * 450);
  expect(await cost({ model: "openai/gpt-5-mini-2025-08-07" })).toBeGreaterThanOrEqual(one);
});

test.each([
  ["responses", { model: "openai/gpt-5-mini", input: "Hi", max_output_tokens: 100 }],
  [
    "messages",
    { model: "anthropic/claude-haiku-4.5", messages: [{ role: "user", content: "Hi" }], max_tokens: 100 },
  ],
  ["completions", { model: "openai/gpt-4o-mini", prompt: "Hi", max_tokens: 100 }],
  ["embeddings", { model: "openai/text-embedding-3-small", input: "Hi" }],
  ["rerank", { model: "cohere/rerank-v3.5", query: "Hi", documents: ["a", "b"] }],
  ["rerank", { model: "voyageai/rerank-2.5", query: "Hi", documents: ["a", "b"] }],
])("a request for /%s of %j is bounded, at once if the prices are cached", async (path, fields) => {
  const { find } = await start();
  const first = await find(path, fields);
  expect(first).toMatchObject({ nanodollars: expect.any(Number), unbounded: [] });
  expect(find(path, fields)).toEqual(first);
});

const RESPONSE = { model: "openai/gpt-5-mini", input: "Hi" };
const MESSAGE = {
  model: "anthropic/claude-haiku-4.5",
  messages: [{ role: "user", content: "Hi" }],
  max_tokens: 100,
};

test.each([
  ["chat/completions", { ...CHAT, model: "openrouter/auto" }, "prices", "model"],
  ["chat/completions", { ...CHAT, model: "nobody/knows" }, "model", "model"],
  ["chat/completions", { ...CHAT, model: "openai/gpt-4o-mini:online" }, "web_search", undefined],
  ["chat/completions", { ...CHAT, model: undefined, preset: "mine" }, "preset", "preset"],
  ["chat/completions", { ...CHAT, of_tomorrow: 1 }, "unknown_fields", "of_tomorrow"],
  ["chat/completions", { ...CHAT, plugins: [{ id: "web" }] }, "plugins", "plugins"],
  ["chat/completions", { ...CHAT, service_tier: "scale" }, "prices", "model"],
  ["responses", { ...RESPONSE, tools: [{ type: "web_search" }] }, "server_tools", "tools"],
  [
    "responses",
    { ...RESPONSE, tools: [{ type: "namespace", name: "x", tools: [{ type: "mcp" }] }] },
    "server_tools",
    "tools",
  ],
  [
    "responses",
    { ...RESPONSE, input: [{ type: "additional_tools", tools: [{ type: "shell" }] }] },
    "server_tools",
    "tools",
  ],
  ["responses", { ...RESPONSE, previous_response_id: "x" }, "previous_response_id", "previous_response_id"],
  ["responses", { ...RESPONSE, conversation: "x" }, "conversation", "conversation"],
  ["responses", { ...RESPONSE, prompt: { id: "x" } }, "prompt", "prompt"],
  ["responses", { ...RESPONSE, input: [{ type: "item_reference", id: "x" }] }, "media", undefined],
  [
    "responses",
    { ...RESPONSE, input: [{ role: "user", content: [{ type: "input_image", image_url: "x" }] }] },
    "media",
    undefined,
  ],
  [
    "messages",
    { ...MESSAGE, tools: [{ type: "web_search_20250305", name: "web_search" }] },
    "server_tools",
    "tools",
  ],
  ["messages", { ...MESSAGE, mcp_servers: [{ url: "x" }] }, "mcp_servers", "mcp_servers"],
  ["messages", { ...MESSAGE, container: "x" }, "container", "container"],
  ["messages", { ...MESSAGE, thread: { type: "create" } }, "thread", "thread"],
  ["messages", { ...MESSAGE, inference_geo: "us" }, "inference_geo", "inference_geo"],
  [
    "messages",
    { ...MESSAGE, context_management: { edits: [{ type: "compact_20260112" }] } },
    "context_management",
    "context_management",
  ],
  [
    "messages",
    {
      ...MESSAGE,
      messages: [{ role: "user", content: [{ type: "image", source: { type: "url", url: "x" } }] }],
    },
    "media",
    undefined,
  ],
  [
    "messages",
    {
      ...MESSAGE,
      messages: [
        {
          role: "user",
          content: [{ type: "tool_result", tool_use_id: "1", content: [{ type: "image", source: {} }] }],
        },
      ],
    },
    "media",
    undefined,
  ],
  [
    "completions",
    { model: "openai/gpt-4o-mini", prompt: "Hi", n: 1, messages: [] },
    "unknown_fields",
    "messages",
  ],
  [
    "embeddings",
    {
      model: "openai/text-embedding-3-small",
      input: [{ content: [{ type: "image_url", image_url: { url: "x" } }] }],
    },
    "media",
    undefined,
  ],
  ["rerank", { model: "voyageai/rerank-2.5", query: "Hi", documents: [{ image: "x" }] }, "media", undefined],
])("a request for /%s of %j is unbounded because of %s", async (path, fields, name, param) => {
  const { find } = await start();
  const { nanodollars, unbounded } = await find(path, fields);
  expect(nanodollars).toBeNull();
  expect(unbounded.map((one) => [one.name, one.param])).toEqual([[name, param]]);
});

test("a header with a beta feature that is not known makes the cost unbounded, and those of Claude Code do not", async () => {
  const { find } = await start();
  const known = "claude-code-20250219,interleaved-thinking-2025-05-14, context-management-2025-06-27";
  expect((await find("messages", MESSAGE, { "anthropic-beta": known })).unbounded).toEqual([]);
  const unknown = { "anthropic-beta": `${known},of-tomorrow-2030-01-01` };
  expect((await find("messages", MESSAGE, unknown)).unbounded).toMatchObject([{ name: "beta" }]);
  // The gateway forwards the header only to /messages.
  expect((await find("chat/completions", CHAT, unknown)).unbounded).toEqual([]);
  expect((await find("chat/completions", CHAT, { "x-anthropic-beta": "x" })).nanodollars).toBeNull();
});

test("a request that names 17 models is unbounded", async () => {
  const { simulator, find } = await start();
  const models = Array.from({ length: 17 }, (_, index) => `a/${index}`);
  expect((await find("chat/completions", { ...CHAT, models })).unbounded).toMatchObject([{ name: "models" }]);
  expect(simulator.seen).toEqual([]);
});

test("the cost is unbounded while OpenRouter's lists are not available", async () => {
  const upstream = await startScriptedUpstream((socket) => {
    socket.write(formatResponse(500, { "content-type": "application/json" }, "{}"));
  });
  const { find } = createTestFinder(upstream.baseUrl);
  const { nanodollars, unbounded } = await find("chat/completions", CHAT);
  expect(nanodollars).toBeNull();
  expect(unbounded[0]).toMatchObject({ name: "prices" });
});

test("a look-up of prices ends after 10 s, even if OpenRouter does not respond", async () => {
  const upstream = await startScriptedUpstream(() => {});
  const { find } = createTestFinder(upstream.baseUrl);
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const found = Promise.resolve(find("chat/completions", CHAT));
    await vi.advanceTimersByTimeAsync(10_000);
    expect((await found).unbounded[0]).toMatchObject({ name: "prices" });
  } finally {
    vi.useRealTimers();
  }
});
