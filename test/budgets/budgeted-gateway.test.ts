import { expect, test } from "vitest";
import { CHAT_PATH } from "../support/chat-request.ts";
import { startJsonServer } from "../support/json-server.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { startTestSimulator } from "../support/simulator.ts";
import { waitUntil } from "../support/wait.ts";

const chat = (fields: object = {}) => ({
  path: CHAT_PATH,
  method: "POST",
  body: JSON.stringify({
    model: "openai/gpt-4o-mini",
    messages: [{ role: "user", content: "Hello" }],
    max_tokens: 100,
    ...fields,
  }),
});

test("a key with a budget is served until its budget is used up, and every cost is counted", async () => {
  const simulator = await startTestSimulator();
  const gateway = await startKeyedGateway(simulator.baseUrl);
  const created = await gateway.callAdmin("POST", "/keys", {
    name: "team",
    limits: { budgets: { day: { limit_usd: 0.0005, mode: "hard" } } },
  });
  expect(created.status).toBe(201);
  const { id, secret } = created.body as { id: string; secret: string };
  let served = 0;
  let refusal = await gateway.call(secret, chat());
  for (; refusal.status === 200 && served < 200; served++) refusal = await gateway.call(secret, chat());
  const error = (JSON.parse(refusal.body.toString()) as { error: object }).error;
  expect([refusal.status, refusal.headers["x-should-retry"]]).toEqual([402, "false"]);
  expect(error).toMatchObject({ code: "budget_exceeded", type: "insufficient_quota" });
  const readBudgets = async () => (await gateway.callAdmin("GET", `/keys/${id}/budgets`)).body.data[0];
  await waitUntil(
    async () => Number((await readBudgets()).reserved_usd) === 0,
    "reservations to be released",
  );
  const { data: requests } = (await gateway.callAdmin("GET", "/requests?limit=200")).body as {
    data: { generation_id: string | null }[];
  };
  const billed = requests
    .map(({ generation_id }) => simulator.findBilledNanodollars(generation_id ?? "") ?? 0)
    .reduce((sum, amount) => sum + amount, 0);
  expect(billed).toBeLessThanOrEqual(500_000);
  expect(Number((await readBudgets()).spent_usd)).toBeCloseTo(billed / 1e9, 12);
  const raised = { budgets: { day: { limit_usd: 1, mode: "hard" } } };
  await gateway.callAdmin("PATCH", `/keys/${id}`, { limits: raised });
  const isServed = async (): Promise<boolean> => (await gateway.call(secret, chat())).status === 200;
  await waitUntil(isServed, "the raised budget to apply");
});

test("while OpenRouter's prices are not available, a key with a budget receives a 502 to try again after", async () => {
  const { baseUrl } = await startJsonServer(() => undefined);
  const gateway = await startKeyedGateway(baseUrl);
  const limits = { budgets: { day: { limit_usd: 1 } } };
  const { secret } = (await gateway.callAdmin("POST", "/keys", { name: "team", limits })).body as {
    secret: string;
  };
  const { status, headers, body } = await gateway.call(secret, chat());
  expect([status, headers["retry-after"], headers["x-should-retry"]]).toEqual([502, "10", undefined]);
  expect((JSON.parse(body.toString()) as { error: { code: string } }).error.code).toBe(
    "upstream_unreachable",
  );
});
