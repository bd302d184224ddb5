import { expect, test } from "vitest";
import { createBudgetedKey } from "../support/budgeted-key.ts";
import { startGreedyOpenRouter } from "../support/greedy-openrouter.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { readRows } from "../support/metered-gateway.ts";
import { buildTool, nestSchema } from "../support/priced-requests.ts";
import type { Json } from "../support/reference-biller.ts";

interface Attack {
  readonly path: string;
  readonly fields: Json;
  readonly headers?: Record<string, string>;
}

const HELLO = "Hello";
const FDFA = "\ufdfa".repeat(50);
const CACHED = { type: "ephemeral", ttl: "1h" };
const SAYING = (content: unknown): Json => ({ messages: [{ role: "user", content }] });
const DEEP = buildTool(nestSchema(60));
const REFERENCES = buildTool({
  $defs: { a: { type: "object", description: "x".repeat(300) } },
  anyOf: Array.from({ length: 40 }, () => ({ $ref: "#/$defs/a" })),
});
const NESTED_JSON = JSON.stringify({ a: [[[[{ b: "<&>" }]]]], c: { d: { e: [1, 2, 3] } } });

const chat = (fields: Json, headers?: Record<string, string>): Attack => ({
  path: "chat/completions",
  fields: { model: "a/chat", max_tokens: 50, ...SAYING(HELLO), ...fields },
  ...(headers && { headers }),
});
const completion = (fields: Json): Attack => ({
  path: "completions",
  fields: { model: "a/chat", prompt: HELLO, max_tokens: 50, ...fields },
});
const response = (fields: Json): Attack => ({
  path: "responses",
  fields: { model: "a/chat", input: HELLO, max_output_tokens: 50, ...fields },
});
const message = (fields: Json, headers?: Record<string, string>): Attack => ({
  path: "messages",
  fields: { model: "a/chat", max_tokens: 50, ...SAYING(HELLO), ...fields },
  ...(headers && { headers }),
});
const embedding = (fields: Json): Attack => ({
  path: "embeddings",
  fields: { model: "a/embed", input: HELLO, ...fields },
});
const rerank = (fields: Json): Attack => ({
  path: "rerank",
  fields: { model: "a/rank", query: HELLO, documents: ["a", "b"], ...fields },
});

const ATTACKS: Readonly<Record<string, Attack>> = {
  "chat: a long prompt": chat(SAYING("lorem ipsum ".repeat(2_000))),
  "chat: a prompt just below a price step": chat(SAYING("a".repeat(3_800))),
  "chat: U+FDFA": chat(SAYING(FDFA)),
  "chat: line separators and combining marks": chat(SAYING("\u2028é\u0344".repeat(300))),
  "chat: a cache for an hour": chat(SAYING([{ type: "text", text: HELLO, cache_control: CACHED }])),
  "chat: a cache of the whole request for an hour": chat({ cache_control: CACHED }),
  "chat: the response cache": chat({}, { "x-openrouter-cache": "true", "x-openrouter-cache-ttl": "9" }),
  "chat: speed": chat({ speed: "fast" }),
  "chat: the priority tier": chat({ service_tier: "priority" }),
  "chat: the priority tier, although max_price excludes it": chat({
    service_tier: "priority",
    provider: { max_price: { prompt: 0.25, completion: 1 } },
  }),
  "chat: :nitro": chat({ model: "a/chat:nitro" }),
  "chat: :floor with models": chat({ model: "a/chat:floor", models: ["a/dear:nitro"] }),
  "chat: :free": chat({ model: "a/chat:free" }),
  "chat: a low max_price": chat({
    provider: { max_price: { prompt: 0.16, completion: "6e-1", request: 0 } },
  }),
  "chat: a max_price that is no number": chat({
    provider: { max_price: { prompt: " 1", completion: null } },
  }),
  "chat: one provider": chat({ provider: { only: ["prov/priority"], order: ["prov/priority"] } }),
  "chat: a prediction": chat({ prediction: { type: "content", content: "lorem ipsum ".repeat(500) } }),
  "chat: many choices": chat({ n: 64 }),
  "chat: reasoning above max_tokens": chat({ reasoning: { max_tokens: 9_000 } }),
  "chat: reasoning effort": chat({ reasoning_effort: "high", max_tokens: 4_000 }),
  "chat: no limit": chat({ max_tokens: null }),
  "chat: a limit of 0": chat({ max_tokens: 0 }),
  "chat: two limits": chat({ max_tokens: 1, max_completion_tokens: 9_000 }),
  "chat: legacy functions": chat({ functions: [DEEP["function"]] }),
  "chat: deep tool schemas": chat({ tools: [DEEP, DEEP] }),
  "chat: references in tool schemas": chat({ tools: [REFERENCES] }),
  "chat: a response format": chat({
    response_format: { type: "json_schema", json_schema: { name: "x", schema: nestSchema(50) } },
  }),
  "chat: tool calls and results": chat({
    messages: [
      { role: "user", content: HELLO },
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "1", type: "function", function: { name: "f", arguments: NESTED_JSON } }],
      },
      { role: "tool", tool_call_id: "1", content: NESTED_JSON },
    ],
  }),
  "completions: choices that are dropped": completion({ n: 2, best_of: 20 }),
  "completions: many prompts": completion({ prompt: ["a", "b", "c", FDFA], n: 3 }),
  "completions: an echo": completion({ prompt: FDFA, echo: true }),
  "completions: a suffix": completion({ suffix: FDFA, n: 2 }),
  "completions: speed": completion({ speed: "fast" }),
  "responses: instructions": response({ instructions: FDFA, reasoning: { effort: "high" } }),
  "responses: deep tool schemas": response({
    tools: [{ type: "function", name: "f", parameters: nestSchema(60) }],
  }),
  "responses: tools in a namespace": response({
    tools: [
      { type: "namespace", name: "n", tools: [{ type: "function", name: "f", parameters: nestSchema(50) }] },
    ],
  }),
  "responses: a text format": response({
    text: { format: { type: "json_schema", name: "x", schema: nestSchema(50) } },
  }),
  "responses: reasoning above the limit": response({ reasoning: { max_tokens: 9_000 } }),
  "responses: the priority tier": response({
    service_tier: "priority",
    provider: { max_price: { prompt: 0.2 } },
  }),
  "responses: results of tools": response({
    input: [
      { role: "user", content: [{ type: "input_text", text: FDFA }] },
      { type: "function_call", call_id: "1", name: "f", arguments: NESTED_JSON },
      { type: "function_call_output", call_id: "1", output: NESTED_JSON },
    ],
  }),
  "messages: caches for an hour": message({
    system: [{ type: "text", text: FDFA, cache_control: CACHED }],
    tools: [{ name: "f", input_schema: nestSchema(50), cache_control: CACHED }],
  }),
  "messages: thinking above max_tokens": message({ thinking: { type: "enabled", budget_tokens: 9_000 } }),
  "messages: speed": message({ speed: "fast" }, { "anthropic-beta": "fast-mode-2026-02-01" }),
  "messages: fallbacks": message({ fallbacks: [{ model: "a/dear" }] }),
  "messages: the priority tier": message({ service_tier: "priority" }),
  "messages: results of tools": message(
    SAYING([
      { type: "tool_use", id: "1", name: "f", input: JSON.parse(NESTED_JSON) as Json },
      { type: "tool_result", tool_use_id: "1", content: NESTED_JSON },
    ]),
  ),
  "embeddings: many inputs": embedding({ input: ["a", "b", FDFA, "c"] }),
  "embeddings: tokens": embedding({
    input: [
      [1, 2, 3],
      [4, 5],
    ],
  }),
  "embeddings: :nitro": embedding({ model: "a/embed:nitro" }),
  "rerank: many documents": rerank({ documents: Array.from({ length: 450 }, () => "x"), query: FDFA }),
  "rerank: long documents": rerank({ documents: [FDFA.repeat(9), "x".repeat(9_000)], top_n: 1 }),
};

async function start() {
  const upstream = await startGreedyOpenRouter();
  const gateway = await startKeyedGateway(upstream.baseUrl, { SETTLE_AFTER_MS: "60000" });
  const send = async (secret: string, { path, fields, headers = {} }: Attack, encode = JSON.stringify) =>
    gateway.call(secret, { path: `/openai/v1/${path}`, headers, body: encode(fields) });
  return { upstream, gateway, send };
}

/** Writes every character that is not ASCII as an escape. */
function escapeJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

test("the reservation of each request is at least what the dearest provider bills", async () => {
  const { upstream, gateway, send } = await start();
  for (const [name, attack] of Object.entries(ATTACKS)) {
    // A bill above its reservation would block the key.
    const { secret } = await createBudgetedKey(gateway, 1_000_000, {
      name: name.replaceAll(/[^\w.-]/g, "_"),
    });
    for (const encode of [JSON.stringify, escapeJson]) {
      const { status, body } = await send(secret, attack, encode);
      expect([name, status, status === 200 ? "" : body.toString()]).toEqual([name, 200, ""]);
    }
  }
  await gateway.stop();
  const rows = await readRows(gateway);
  const low = rows
    .filter((row) => (row.reserved_nanodollars ?? 0) < (row.cost_nanodollars ?? 0))
    .map(({ key_name, reserved_nanodollars, cost_nanodollars }) => [
      key_name,
      reserved_nanodollars,
      cost_nanodollars,
    ]);
  expect(low).toEqual([]);
  expect(rows.map((row) => row.cost_nanodollars)).toEqual(
    upstream.bills.map(({ nanodollars }) => nanodollars),
  );
});

test("all of these requests at once cannot exceed a budget", async () => {
  const { upstream, gateway, send } = await start();
  const { secret } = await createBudgetedKey(gateway, 0.2);
  const attacks = [...Object.values(ATTACKS), ...Object.values(ATTACKS)];
  const statuses = await Promise.all(
    attacks.map(async (attack, index) => {
      const { status } = await send(secret, attack, index % 2 === 0 ? JSON.stringify : escapeJson);
      return status;
    }),
  );
  expect(upstream.billed).toBeLessThanOrEqual(200_000_000);
  expect(upstream.billed).toBeGreaterThan(50_000_000);
  expect(new Set(statuses).difference(new Set([200, 402, 429]))).toEqual(new Set());
  expect(gateway.readLog()).not.toContain("cost above reservation");
});
