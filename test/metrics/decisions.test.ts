import { expect, test } from "vitest";
import { CHAT_PATH } from "../support/chat-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { type KeyedGateway, startKeyedGateway } from "../support/keyed-gateway.ts";
import { scrape } from "../support/scrape.ts";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { sendRequest } from "../support/send-request.ts";
import { startTestSimulator } from "../support/simulator.ts";

const startOkUpstream = () =>
  startScriptedUpstream((socket) =>
    socket.write(formatResponse(200, { "content-type": "application/json" }, "{}")),
  );

async function readLimitDecisions(metricsUrl: string | undefined, store = "memory") {
  const { sum } = await scrape(metricsUrl);
  return ["admitted", "refused"].map((decision) =>
    sum("sluice_rate_limit_decisions_total", { decision, store }),
  );
}

test("every decision of a limit is counted once: of keys, of unknown URLs and of failed logins", async () => {
  const upstream = await startOkUpstream();
  const gateway = await startTestGateway(upstream.baseUrl, { METRICS_PORT: "0", RATE_LIMIT_MAX: "3" });
  expect(await readLimitDecisions(gateway.metricsUrl)).toEqual([0, 0]);
  for (let sent = 0; sent < 5; sent++) await sendRequest(gateway.port);
  expect(await readLimitDecisions(gateway.metricsUrl)).toEqual([3, 2]);
  for (let sent = 0; sent < 5; sent++)
    await sendRequest(gateway.port, { method: "GET", path: "/nothing", body: "" });
  expect(await readLimitDecisions(gateway.metricsUrl)).toEqual([6, 4]);
  const headers = { authorization: "Bearer sk-wrong" };
  for (let sent = 0; sent < 5; sent++) await sendRequest(gateway.port, { headers });
  expect(await readLimitDecisions(gateway.metricsUrl)).toEqual([9, 6]);
  expect(await readLimitDecisions(gateway.metricsUrl, "redis")).toEqual([0, 0]);
});

test("a request of a key with a limit on tokens has two decisions", async () => {
  const upstream = await startOkUpstream();
  const gateway = await startKeyedGateway(upstream.baseUrl, { METRICS_PORT: "0" });
  const limits = { tokens_per_minute: 1_000 };
  const { secret } = (await gateway.callAdmin("POST", "/keys", { name: "tokens", limits })).body;
  const before = await readLimitDecisions(gateway.metricsUrl);
  await gateway.call(secret, chat({ max_tokens: 100 }));
  await gateway.call(secret, chat({ max_tokens: 5_000 }));
  const after = await readLimitDecisions(gateway.metricsUrl);
  expect(after.map((count, index) => (count ?? 0) - (before[index] ?? 0))).toEqual([3, 1]);
});

function chat(fields: object = {}) {
  const messages = [{ role: "user", content: "Hello" }];
  const body = { model: "openai/gpt-4o-mini", messages, max_tokens: 100, ...fields };
  return { path: CHAT_PATH, method: "POST", body: JSON.stringify(body) };
}

const LABELS = ["admitted", "admitted_after_wait", "refused"];

async function readBudgetDecisions({ metricsUrl }: KeyedGateway) {
  const { sum } = await scrape(metricsUrl);
  return LABELS.map((decision) => sum("sluice_budget_decisions_total", { decision }) ?? 0);
}

test("every request of a key with a budget has one decision, and a refusal has its code", async () => {
  const simulator = await startTestSimulator();
  const gateway = await startKeyedGateway(simulator.baseUrl, { METRICS_PORT: "0" });
  const create = async (name: string, budget: object): Promise<string> =>
    (await gateway.callAdmin("POST", "/keys", { name, limits: { budgets: { day: budget } } })).body.secret;
  const hard = await create("hard", { limit_usd: 0.0005 });
  const soft = await create("soft", { limit_usd: 0.00001, mode: "soft" });
  await gateway.call(gateway.caller, chat());
  expect(await readBudgetDecisions(gateway)).toEqual([0, 0, 0]);
  let sent = 0;
  for (const secret of [hard, soft])
    for (let status = 200; status === 200 && sent < 400; sent++)
      ({ status } = await gateway.call(secret, chat()));
  const [admitted = 0, afterWait = 0, refused = 0] = await readBudgetDecisions(gateway);
  expect([admitted + afterWait + refused, refused]).toEqual([sent, 2]);
  expect(afterWait).toBeGreaterThan(0);
  // A parameter that the gateway does not know makes the cost unbounded.
  expect((await gateway.call(hard, chat({ plugins: [{ id: "unknown" }] }))).status).toBe(400);
  const { sum } = await scrape(gateway.metricsUrl);
  const name = "sluice_budget_decisions_total";
  expect(sum(name, { code: "budget_exceeded", decision: "refused" })).toBe(2);
  expect(sum(name, { code: "unbounded_cost", decision: "refused" })).toBe(1);
  expect(sum(name, { code: "key_blocked", decision: "refused" })).toBe(0);
  expect(sum(name, { code: "" })).toBe(admitted + afterWait);
});
