import { expect, onTestFinished, test } from "vitest";
import { startSimulator } from "../../src/mock/simulator.ts";
import { ask } from "../support/ask.ts";
import { CHAT_PATH, chatBody } from "../support/chat.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { startTestGateway } from "../support/gateway.ts";

async function start() {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  return { simulator, gateway: await startTestGateway(simulator.baseUrl) };
}

test("a dry run says what a request may cost, calls no model, and what it then costs lies between", async () => {
  const { simulator, gateway } = await start();
  const body = chatBody({ model: "openrouter/openai/gpt-4o-mini", max_tokens: 200 });
  const dry = await ask(gateway.port, { path: `${CHAT_PATH}?dryRun=true`, body });
  expect([dry.status, simulator.stats().billedNanodollars]).toEqual([200, 0]);
  const estimate = JSON.parse(dry.body.toString());
  expect(estimate).toMatchObject({ estimated: true, model: "openai/gpt-4o-mini", currency: "USD" });
  await ask(gateway.port, { body });
  const billed = simulator.stats().billedNanodollars;
  expect(billed).toBeGreaterThanOrEqual(estimate.lowest.nanodollars);
  expect(billed).toBeLessThanOrEqual(estimate.highest.nanodollars);
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
])("a dry run with %s and %j is refused", async (query, fields, status, param) => {
  const { gateway } = await start();
  const answer = await ask(gateway.port, { path: CHAT_PATH + query, body: chatBody(fields) });
  expect([answer.status, JSON.parse(answer.body.toString()).error.param]).toEqual([status, param]);
});

test("an estimate states its range, what it is made of, and when its prices were listed", async () => {
  const { gateway } = await start();
  const before = Date.now();
  const body = chatBody({
    model: "openrouter/openai/gpt-4o-mini",
    models: ["openai/gpt-4o"],
    max_tokens: 100,
  });
  const dry = await ask(gateway.port, { path: `${CHAT_PATH}?dryRun=true`, body });
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

test.each([
  ["openai/gpt-4o-mini:nitro", "openai/gpt-4o-mini", true],
  ["meta-llama/llama-3.3-70b-instruct:free", "meta-llama/llama-3.3-70b-instruct:free", true],
  ["openai/gpt-4o-mini:online", "openai/gpt-4o-mini", false],
  ["openrouter/auto", "openrouter/auto", false],
])("%s is estimated as %s; there is a highest total: %s", async (model, listed, bounded) => {
  const { gateway } = await start();
  const dry = await ask(gateway.port, { path: `${CHAT_PATH}?dryRun=true`, body: chatBody({ model }) });
  const estimate = JSON.parse(dry.body.toString());
  expect(new Set(estimate.components.map((one: { model: string }) => one.model))).toEqual(new Set([listed]));
  expect([estimate.model, estimate.highest !== null]).toEqual([model, bounded]);
});

test("a variant that may be free costs from nothing to what its model costs", async () => {
  const { gateway } = await start();
  const estimate = async (model: string) =>
    JSON.parse(
      (
        await ask(gateway.port, { path: `${CHAT_PATH}?dryRun=true`, body: chatBody({ model }) })
      ).body.toString(),
    );
  const { lowest, highest } = await estimate("openai/gpt-4o-mini:free");
  expect(lowest.nanodollars).toBe(0);
  expect(highest).toEqual((await estimate("openai/gpt-4o-mini")).highest);
});

test("a dry run needs a key, and takes the models that its key may use", async () => {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  const gateway = await startKeyedGateway(simulator.baseUrl);
  const { secret } = (await gateway.manage("POST", "/keys", { name: "bob", models: ["google/*"] })).body;
  const path = `${CHAT_PATH}?dryRun=true`;
  expect((await gateway.call("sk-unknown", { path })).status).toBe(401);
  expect((await gateway.call(secret, { path })).status).toBe(403);
  const body = chatBody({ model: "google/gemini-3-flash-preview" });
  expect((await gateway.call(secret, { path, body })).status).toBe(200);
  expect((await gateway.manage("GET", "/requests")).body.data).toEqual([]);
});

test("a caller with an OpenRouter key of its own gets estimates too", async () => {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  const env = { OPENROUTER_API_KEY: undefined, GATEWAY_API_KEYS: undefined };
  const gateway = await startTestGateway(simulator.baseUrl, env);
  const dry = await ask(gateway.port, { path: `${CHAT_PATH}?dryRun=true` });
  expect([dry.status, simulator.seen.map(({ method }) => method)]).toEqual([200, ["GET"]]);
});

test("dryRun=false and other queries change nothing", async () => {
  const { simulator, gateway } = await start();
  expect((await ask(gateway.port, { path: `${CHAT_PATH}?dryRun=false&x=1` })).status).toBe(200);
  expect(simulator.stats().completed).toBe(1);
});
