import { expect, onTestFinished, test } from "vitest";
import { startSimulator } from "../../src/mock/simulator.ts";
import { ask } from "../support/ask.ts";
import { CHAT_PATH, chatBody } from "../support/chat.ts";
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
  ["?dryRun=true", { model: "nobody/knows" }, 404, "model"],
  ["?dryRun=true", { messages: undefined }, 400, "messages"],
])("a dry run with %s and %j is refused", async (query, fields, status, param) => {
  const { gateway } = await start();
  const answer = await ask(gateway.port, { path: CHAT_PATH + query, body: chatBody(fields) });
  expect([answer.status, JSON.parse(answer.body.toString()).error.param]).toEqual([status, param]);
});

test("dryRun=false and other queries change nothing", async () => {
  const { simulator, gateway } = await start();
  expect((await ask(gateway.port, { path: `${CHAT_PATH}?dryRun=false&x=1` })).status).toBe(200);
  expect(simulator.stats().completed).toBe(1);
});
