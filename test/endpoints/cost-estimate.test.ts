import { expect, onTestFinished, test } from "vitest";
import { startSimulator } from "../../tools/simulator/simulator.ts";
import { sendRequest } from "../support/send-request.ts";
import { AUTHORIZATION, CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { startTestGateway } from "../support/gateway.ts";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";

async function start() {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  return { simulator, gateway: await startTestGateway(simulator.baseUrl) };
}

test("a dry run calls no model, and its range contains the cost of the request", async () => {
  const { simulator, gateway } = await start();
  const body = buildChatBody({ model: "openrouter/openai/gpt-4o-mini", max_tokens: 200 });
  const dry = await sendRequest(gateway.port, { path: `${CHAT_PATH}?dryRun=true`, body });
  expect([dry.status, simulator.readStats().billedNanodollars]).toEqual([200, 0]);
  const estimate = JSON.parse(dry.body.toString());
  expect(estimate).toMatchObject({ estimated: true, model: "openai/gpt-4o-mini", currency: "USD" });
  await sendRequest(gateway.port, { body });
  const cost = simulator.readStats().billedNanodollars;
  expect(cost).toBeGreaterThanOrEqual(estimate.lowest.nanodollars);
  expect(cost).toBeLessThanOrEqual(estimate.highest.nanodollars);
});

test.each([
  ["?dryRun=maybe", {}, 400, "dryRun"],
  ["?dryRun=", {}, 400, "dryRun"],
  ["?dryRun=true&dryRun=false", {}, 400, "dryRun"],
  ["?dryrun=true", {}, 400, "dryRun"],
  ["?dry_run=true", {}, 400, "dryRun"],
  ["?dryRun=true", { model: undefined, preset: "mine" }, 400, "model"],
  ["?dryRun=true", { models: ["openai/gpt-4o", "nobody/knows"] }, 404, "model"],
  ["?dryRun=true", { model: "nobody/knows" }, 404, "model"],
  ["?dryRun=true", { messages: undefined }, 400, "messages"],
])("a dry run with %s and the fields %j is rejected", async (query, fields, status, param) => {
  const { gateway } = await start();
  const response = await sendRequest(gateway.port, { path: CHAT_PATH + query, body: buildChatBody(fields) });
  expect([response.status, JSON.parse(response.body.toString()).error.param]).toEqual([status, param]);
});

test("an estimate has a range, components and the time of its prices", async () => {
  const { gateway } = await start();
  const before = Date.now();
  const body = buildChatBody({
    model: "openrouter/openai/gpt-4o-mini",
    models: ["openai/gpt-4o"],
    max_tokens: 100,
  });
  const dry = await sendRequest(gateway.port, { path: `${CHAT_PATH}?dryRun=true`, body });
  expect(dry.headers["content-type"]).toMatch(/^application\/json/);
  const estimate = JSON.parse(dry.body.toString());
  const amount = { nanodollars: expect.any(Number), usd: expect.stringMatching(/^\d+\.\d{9}$/) };
  expect(estimate).toEqual({
    object: "chat.completion.cost_estimate",
    estimated: true,
    model: "openai/gpt-4o-mini",
    models: ["openai/gpt-4o-mini", "openai/gpt-4o"],
    currency: "USD",
    components: expect.any(Array),
    lowest: amount,
    highest: amount,
    notes: expect.any(Array),
    prices_as_of: expect.any(String),
  });
  expect(estimate.components).toContainEqual({
    model: "openai/gpt-4o",
    name: "completion",
    lowest: { quantity: 0, unit_price_usd: "0.00001", nanodollars: 0 },
    highest: { quantity: 100, unit_price_usd: "0.00001", nanodollars: 1_000_000 },
  });
  expect(estimate.highest.usd).toBe((estimate.highest.nanodollars / 1e9).toFixed(9));
  const asOf = Date.parse(estimate.prices_as_of);
  expect(asOf).toBeGreaterThanOrEqual(before);
  expect(asOf).toBeLessThanOrEqual(Date.now());
});

async function dryRun(port: number, fields: Record<string, unknown>, headers: Record<string, string> = {}) {
  const path = `${CHAT_PATH}?dryRun=true`;
  const response = await sendRequest(port, {
    path,
    body: buildChatBody(fields),
    headers: { ...AUTHORIZATION, ...headers },
  });
  expect(response.status).toBe(200);
  return JSON.parse(response.body.toString()) as {
    lowest: { nanodollars: number };
    highest: { nanodollars: number } | null;
    components: { model: string; name: string; highest: { unit_price_usd: string } }[];
    notes: string[];
  };
}

test.each([
  ['speed "fast"', { model: "anthropic/claude-opus-5", speed: "fast" }, "0.00001"],
  [
    "provider.only with a priority tier",
    { model: "openai/gpt-5-mini", provider: { only: ["openai/priority"] } },
    "0.00000045",
  ],
  ["service_tier priority", { model: "openai/gpt-5-mini", service_tier: "priority" }, "0.00000045"],
  ["service_tier flex", { model: "openai/gpt-5-mini", service_tier: "flex" }, "0.00000045"],
  ["the variant :nitro", { model: "qwen/qwen3-32b:nitro" }, "0.0000004"],
  ["provider.order", { model: "qwen/qwen3-32b", provider: { order: ["cerebras"] } }, "0.0000004"],
])("an estimate for a request with %s uses the highest price that can apply", async (_, fields, price) => {
  const { simulator, gateway } = await start();
  const { lowest, highest, components } = await dryRun(gateway.port, { ...fields, max_tokens: 200 });
  const prompts = components.filter(({ name }) => name === "prompt");
  expect(prompts.at(-1)?.highest.unit_price_usd).toBe(price);
  expect((await sendRequest(gateway.port, { body: buildChatBody(fields) })).status).toBe(200);
  const cost = simulator.readStats().billedNanodollars;
  expect(cost).toBeGreaterThanOrEqual(lowest.nanodollars);
  expect(cost).toBeLessThanOrEqual(highest?.nanodollars ?? NaN);
});

test("an estimate for a request with speed has the prices of the model and of its -fast model", async () => {
  const { gateway } = await start();
  const { components } = await dryRun(gateway.port, { model: "anthropic/claude-opus-5", speed: "fast" });
  const prompts = components.filter(({ name }) => name === "prompt");
  expect(prompts.map(({ model, highest }) => [model, highest.unit_price_usd])).toEqual([
    ["anthropic/claude-opus-5", "0.000005"],
    ["anthropic/claude-opus-5-fast", "0.00001"],
  ]);
  const standard = { model: "anthropic/claude-opus-5", speed: "standard" };
  expect((await dryRun(gateway.port, standard)).components).toHaveLength(3);
});

test.each([
  ["speed", { speed: "fast" }],
  ["A variant", { model: "openai/gpt-4o-mini:extended" }],
  ["A variant", { model: "openai/gpt-4o-mini:extended", models: ["openai/gpt-4o-mini"] }],
  ["of_tomorrow", { of_tomorrow: 1 }],
])("the highest cost is null and a note contains %j for a request with %j", async (reason, fields) => {
  const { gateway } = await start();
  const { highest, notes } = await dryRun(gateway.port, fields);
  expect(highest).toBeNull();
  expect(notes.join("\n")).toContain(reason);
});

test("the lowest cost is 0 if the response cache is enabled", async () => {
  const { gateway } = await start();
  const fields = { messages: [{ role: "user", content: "word ".repeat(1_000) }] };
  const lowest = async (headers: Record<string, string>) =>
    (await dryRun(gateway.port, fields, headers)).lowest.nanodollars;
  expect(await lowest({})).toBeGreaterThan(0);
  expect(await lowest({ "x-openrouter-cache": "false" })).toBeGreaterThan(0);
  expect(await lowest({ "x-openrouter-cache": "true" })).toBe(0);
});

test("the highest cost is null with the header x-anthropic-beta", async () => {
  const { gateway } = await start();
  const { highest, notes } = await dryRun(gateway.port, {}, { "x-anthropic-beta": "of-tomorrow" });
  expect(highest).toBeNull();
  expect(notes.join("\n")).toContain("x-anthropic-beta");
});

test("if the endpoints cannot be fetched, the highest cost is null unless provider.max_price is set", async () => {
  const models = JSON.stringify({
    data: [{ id: "a/b", context_length: 1000, pricing: { prompt: "0.000001", completion: "0.000001" } }],
  });
  const upstream = await startScriptedUpstream((socket, request) => {
    const isList = request.line.startsWith("GET /api/v1/models HTTP");
    socket.write(
      formatResponse(isList ? 200 : 500, { "content-type": "application/json" }, isList ? models : "{}"),
    );
  });
  const gateway = await startTestGateway(upstream.baseUrl);
  const { highest, notes } = await dryRun(gateway.port, { model: "a/b", max_tokens: 100 });
  expect(highest).toBeNull();
  expect(notes.join("\n")).toContain("The endpoints of a/b are not known now.");
  const provider = { max_price: { prompt: "1", completion: "1", request: "0" } };
  expect((await dryRun(gateway.port, { model: "a/b", max_tokens: 100, provider })).highest).not.toBeNull();
});

test("a dry run accepts 16 models and rejects 17", async () => {
  const { simulator, gateway } = await start();
  const list = JSON.parse(
    (await sendRequest(gateway.port, { method: "GET", path: "/openai/v1/models", body: "" })).body.toString(),
  );
  const models = list.data.map(({ id }: { id: string }) => id).slice(0, 16);
  const fields = { model: undefined, max_tokens: 10 };
  await dryRun(gateway.port, { ...fields, models });
  expect(simulator.seen.filter(({ url }) => url.endsWith("/endpoints"))).toHaveLength(16);
  const path = `${CHAT_PATH}?dryRun=true`;
  const response = await sendRequest(gateway.port, {
    path,
    body: buildChatBody({ ...fields, models: [...models, "a/b"] }),
  });
  const { error } = JSON.parse(response.body.toString());
  expect([response.status, error.code, error.param]).toEqual([400, "invalid_value", "models"]);
  expect(error.message).toContain("16 models");
});

test.each([
  ["openai/gpt-4o-mini:nitro", "openai/gpt-4o-mini", true],
  ["meta-llama/llama-3.3-70b-instruct:free", "meta-llama/llama-3.3-70b-instruct:free", true],
  ["openai/gpt-4o-mini:online", "openai/gpt-4o-mini", false],
  ["openrouter/auto", "openrouter/auto", false],
])("a dry run of %s uses the prices of %s (highest cost known: %s)", async (model, listed, bounded) => {
  const { gateway } = await start();
  const dry = await sendRequest(gateway.port, {
    path: `${CHAT_PATH}?dryRun=true`,
    body: buildChatBody({ model }),
  });
  const estimate = JSON.parse(dry.body.toString());
  expect(new Set(estimate.components.map((one: { model: string }) => one.model))).toEqual(new Set([listed]));
  expect([estimate.model, estimate.highest !== null]).toEqual([model, bounded]);
});

test("the range of a :free variant that is not listed is from 0 to the cost of its model", async () => {
  const { gateway } = await start();
  const { lowest, highest } = await dryRun(gateway.port, { model: "openai/gpt-4o-mini:free" });
  expect(lowest.nanodollars).toBe(0);
  const paid = await dryRun(gateway.port, { model: "openai/gpt-4o-mini" });
  // The suffix :free has five bytes. Each byte counts as a token, at 150 nanodollars.
  expect(highest?.nanodollars).toBe((paid.highest?.nanodollars ?? NaN) + 5 * 150);
});

test("a dry run requires a key and a model that the key may use", async () => {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  const gateway = await startKeyedGateway(simulator.baseUrl);
  const { secret } = (await gateway.callAdmin("POST", "/keys", { name: "bob", models: ["google/*"] })).body;
  const path = `${CHAT_PATH}?dryRun=true`;
  expect((await gateway.call("sk-unknown", { path })).status).toBe(401);
  expect((await gateway.call(secret, { path })).status).toBe(403);
  const body = buildChatBody({ model: "google/gemini-3-flash-preview" });
  expect((await gateway.call(secret, { path, body })).status).toBe(200);
  expect((await gateway.callAdmin("GET", "/requests")).body.data).toEqual([]);
});

test("a dry run works with the client's own OpenRouter key", async () => {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  const env = { OPENROUTER_API_KEY: undefined, GATEWAY_API_KEYS: undefined };
  const gateway = await startTestGateway(simulator.baseUrl, env);
  const dry = await sendRequest(gateway.port, { path: `${CHAT_PATH}?dryRun=true` });
  expect([dry.status, simulator.seen.map(({ method }) => method)]).toEqual([200, ["GET", "GET"]]);
});

test("a request with dryRun=false and other query parameters is sent to OpenRouter", async () => {
  const { simulator, gateway } = await start();
  expect((await sendRequest(gateway.port, { path: `${CHAT_PATH}?dryRun=false&x=1` })).status).toBe(200);
  expect(simulator.readStats().completed).toBe(1);
});
