import { afterAll, beforeAll, expect, test } from "vitest";
import { buildChatBody, CHAT_PATH } from "../support/chat-request.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { startTestSimulator } from "../support/simulator.ts";
import { waitUntil } from "../support/wait.ts";

let postgres: Postgres;

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);

afterAll(() => postgres.close());

const chat = {
  path: CHAT_PATH,
  method: "POST",
  body: buildChatBody({ model: "openai/gpt-4o-mini", max_tokens: 50 }),
};

test("during an outage of the database, requests are served from the lease, then get 503, and are served after it", async () => {
  const simulator = await startTestSimulator();
  const gateway = await startKeyedGateway(simulator.baseUrl, {
    DATABASE_URL: await postgres.createDatabase(),
    DATA_DIR_PERSISTENT: "true",
  });
  const { body } = await gateway.callAdmin("POST", "/keys", {
    name: "team",
    limits: { budgets: { day: { limit_usd: 1, mode: "hard" } } },
  });
  const { id, secret } = body as { id: string; secret: string };
  for (let count = 0; count < 20; count++) expect((await gateway.call(secret, chat)).status).toBe(200);
  await postgres.kill();
  const statuses: number[] = [];
  let last = await gateway.call(secret, chat);
  for (; last.status === 200 && statuses.length < 5_000; last = await gateway.call(secret, chat))
    statuses.push(last.status);
  expect(statuses.length).toBeGreaterThan(0);
  expect(last.status).toBe(503);
  expect(JSON.parse(last.body.toString())).toMatchObject({ error: { code: "store_unavailable" } });
  expect(Number(last.headers["retry-after"])).toBeGreaterThan(0);
  await postgres.start();
  await waitUntil(async () => (await gateway.call(secret, chat)).status === 200, "a served request", 10_000);
  const readBudget = async () =>
    (await gateway.callAdmin("GET", `/keys/${id}/budgets`)).body.data[0] as Record<string, string>;
  const isSettled = async (): Promise<boolean> => Number((await readBudget())["reserved_usd"]) === 0;
  await waitUntil(isSettled, "the lease to be returned", 15_000);
  const { data } = (await gateway.callAdmin("GET", "/usage?by=key")).body as { data: { cost_usd: string }[] };
  expect(Number((await readBudget())["spent_usd"])).toBeCloseTo(Number(data[0]?.cost_usd), 9);
}, 60_000);
