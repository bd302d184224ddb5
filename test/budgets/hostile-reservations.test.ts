import { expect, test } from "vitest";
import { createBudgetedKey, type BudgetedKey } from "../support/budgeted-key.ts";
import { startGreedyOpenRouter } from "../support/greedy-openrouter.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { readRows } from "../support/metered-gateway.ts";
import { buildTool } from "../support/priced-requests.ts";
import type { Json } from "../support/reference-biller.ts";
import { startWebhookReceiver, WEBHOOK_SECRET } from "../support/webhook-receiver.ts";
import { waitUntil } from "../support/wait.ts";

const HELLO = [{ role: "user", content: "Hello" }];
const IMAGE = [
  { role: "user", content: [{ type: "image_url", image_url: { url: "https://a.example/b.png" } }] },
];
const RECURSIVE = buildTool({ type: "object", properties: { a: { $ref: "#" } } });
const CHAT: Json = { model: "a/chat", messages: HELLO, max_tokens: 50 };
const RESPONSE: Json = { model: "a/chat", input: "Hello", max_output_tokens: 50 };
const MESSAGE: Json = { model: "a/chat", messages: HELLO, max_tokens: 50 };
const SEVENTEEN = Array.from({ length: 17 }, (_, index) => `a/chat:nitro${index}`);

/** Requests whose cost has no bound: path, fields, and the field that the refusal names. */
const UNBOUNDED: readonly (readonly [path: string, fields: Json, param: string | null])[] = [
  ["chat/completions", { ...CHAT, of_tomorrow: 1 }, "of_tomorrow"],
  ["chat/completions", { ...CHAT, provider: { options: { x: 1 } } }, "provider.options"],
  ["chat/completions", { ...CHAT, plugins: [{ id: "web" }] }, "plugins"],
  ["chat/completions", { ...CHAT, tools: [{ type: "openrouter:web_search" }] }, "tools"],
  ["chat/completions", { ...CHAT, preset: "mine" }, "preset"],
  ["chat/completions", { ...CHAT, modalities: ["image"] }, "modalities"],
  ["chat/completions", { ...CHAT, model: "a/unlisted" }, "model"],
  ["chat/completions", { ...CHAT, model: "A/Chat" }, "model"],
  ["chat/completions", { ...CHAT, model: "a/chat:extended" }, "model"],
  ["chat/completions", { ...CHAT, service_tier: "scale" }, "model"],
  ["chat/completions", { ...CHAT, model: "a/dear", speed: "fast" }, "speed"],
  ["chat/completions", { ...CHAT, models: SEVENTEEN }, "models"],
  ["chat/completions", { ...CHAT, messages: IMAGE }, null],
  ["chat/completions", { ...CHAT, tools: [RECURSIVE] }, null],
  ["completions", { model: "a/chat", prompt: "Hello", of_tomorrow: 1 }, "of_tomorrow"],
  ["responses", { ...RESPONSE, previous_response_id: "resp_1" }, "previous_response_id"],
  ["responses", { ...RESPONSE, tools: [{ type: "web_search" }] }, "tools"],
  ["messages", { ...MESSAGE, mcp_servers: [{ url: "https://a.example" }] }, "mcp_servers"],
  ["messages", { ...MESSAGE, thread: { type: "create" } }, "thread"],
  ["messages", { ...MESSAGE, fallbacks: [{ model: "a/chat", max_tokens: 9 }] }, "fallbacks[].max_tokens"],
  ["embeddings", { model: "a/embed", input: "Hello", of_tomorrow: 1 }, "of_tomorrow"],
  ["embeddings", { model: "a/embed", input: [{ content: [{ type: "image_url" }] }] }, null],
  ["rerank", { model: "a/rank", query: "a", documents: [{ text: "b", image: "c" }] }, null],
];

async function start(env: Record<string, string> = {}) {
  const upstream = await startGreedyOpenRouter();
  const gateway = await startKeyedGateway(upstream.baseUrl, { SETTLE_AFTER_MS: "60000", ...env });
  const send = async ({ secret }: BudgetedKey, path: string, fields: Json) => {
    const response = await gateway.call(secret, { path: `/openai/v1/${path}`, body: JSON.stringify(fields) });
    return { ...response, json: JSON.parse(response.body.toString()) };
  };
  return { upstream, gateway, send };
}

test("a request without a bound is refused before it is sent, and the refusal names the field", async () => {
  const { upstream, gateway, send } = await start();
  const key = await createBudgetedKey(gateway, 1_000);
  for (const [path, fields, param] of UNBOUNDED) {
    const { status, headers, json } = await send(key, path, fields);
    const { code, error = json } = json.error;
    expect([path, param, status, headers["x-should-retry"], code ?? error.code, json.error.param]).toEqual([
      path,
      param,
      400,
      "false",
      "unbounded_cost",
      param,
    ]);
    expect(json.error.message).toMatch(/drop|name|send|choose|remove|set|lower|text/i);
  }
  expect(upstream.bills).toEqual([]);
  expect(await key.readBudget()).toEqual({ spent: 0, presumed: 0, reserved: 0 });
});

/** Fields that make the cost of any request unbounded, although OpenRouter may ignore them. */
const LOWERING: readonly Json[] = [
  { of_tomorrow: 1 },
  { provider: { of_tomorrow: 1 } },
  { provider: { only: ["prov", "no/where"] } },
  { service_tier: "scale" },
  { service_tier: "scale", max_tokens: null },
  { speed: "fast" },
  { model: "a/dear:extended" },
  { models: ["a/unlisted"] },
  { tools: [{ type: "openrouter:datetime" }] },
];

test("a fixed reservation does not replace the part of the cost that has a bound", async () => {
  const { upstream, gateway, send } = await start();
  for (const [index, fields] of LOWERING.entries()) {
    const key = await createBudgetedKey(gateway, 1_000, {
      name: `key${index}`,
      unbounded_reservation_usd: 0.000001,
    });
    const { status } = await send(key, "chat/completions", {
      ...CHAT,
      model: "a/dear",
      max_tokens: 2_000,
      ...fields,
    });
    expect([fields, status]).toEqual([fields, 200]);
  }
  const key = await createBudgetedKey(gateway, 1_000, { unbounded_reservation_usd: 0.000001 });
  expect((await send(key, "chat/completions", { ...CHAT, models: SEVENTEEN })).json.error.code).toBe(
    "unbounded_cost",
  );
  await gateway.stop();
  const rows = await readRows(gateway);
  for (const { reserved_nanodollars, key_name } of rows)
    expect([key_name, (reserved_nanodollars ?? 0) > 10_000_000]).toEqual([key_name, true]);
  for (const { cost_nanodollars, reserved_nanodollars, key_name } of rows)
    expect([key_name, (cost_nanodollars ?? 0) <= (reserved_nanodollars ?? 0)]).toEqual([key_name, true]);
  expect(upstream.bills.length).toBe(LOWERING.length);
});

test("a bill above a fixed reservation is booked in full, reported, and blocks the key until it is unblocked", async () => {
  const receiver = await startWebhookReceiver();
  const { upstream, gateway, send } = await start({
    ALERT_WEBHOOK_URL: receiver.url,
    ALERT_WEBHOOK_SECRET: WEBHOOK_SECRET,
  });
  const key = await createBudgetedKey(gateway, 1, { unbounded_reservation_usd: 0.01 });
  upstream.surcharge = 50_000_000;
  const search = { ...CHAT, tools: [{ type: "openrouter:web_search" }], plugins: [] };
  expect((await send(key, "chat/completions", search)).status).toBe(200);
  const { billed } = upstream;
  expect(billed).toBeGreaterThan(50_000_000);
  // Until the row is written and the key is read again, which takes up to 2 s, requests of the key are served.
  upstream.surcharge = 0;
  const refused = await waitUntil(async () => {
    const { status, headers, json } = await send(key, "chat/completions", CHAT);
    return status === 402 ? { headers, error: json.error } : undefined;
  }, "the key to be blocked");
  expect(refused.error).toMatchObject({ code: "key_blocked", type: "insufficient_quota" });
  expect(refused.headers["x-should-retry"]).toBe("false");
  expect(refused.error.message).toMatch(/refused until \d{4}-\d\d-\d\dT00:00:00Z; ask the operator/);
  await waitUntil(async () => (await key.readBudget()).spent === upstream.billed, "the bills in the budget");
  expect(gateway.readLog()).toContain("budgets: cost above reservation, key blocked");
  const alert = await waitUntil(
    () =>
      receiver.received
        .map(({ body }) => JSON.parse(body))
        .find(({ type }) => type === "cost_above_reservation"),
    "the alert",
  );
  expect(alert.data).toMatchObject({
    reserved_usd: "0.010000000",
    cost_usd: (billed / 1e9).toFixed(9),
  });
  const later = await gateway.callAdmin("GET", `/keys/${key.id}`);
  expect(later.body.blocked_until).not.toBeNull();
  await gateway.callAdmin("PATCH", `/keys/${key.id}`, { unblock: true });
  const served = await waitUntil(async () => {
    const { status } = await send(key, "chat/completions", CHAT);
    return status === 200;
  }, "the key to be unblocked");
  expect(served).toBe(true);
  await waitUntil(
    async () => (await key.readBudget()).spent === upstream.billed,
    "the last bill in the budget",
  );
});
