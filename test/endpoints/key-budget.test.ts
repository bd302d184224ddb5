import { expect, onTestFinished, test } from "vitest";
import { startSimulator } from "../../tools/simulator/simulator.ts";
import { openDatabase } from "../../src/store/database.ts";
import { startTestGateway } from "../support/gateway.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { sendRequest } from "../support/send-request.ts";

const get = (path: string) => ({ method: "GET", path, body: "" });
const DAY_MS = 86_400_000;

async function start() {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  const gateway = await startKeyedGateway(simulator.baseUrl);
  const database = openDatabase({ dataDir: gateway.dataDir, databaseUrl: undefined }, () => {});
  onTestFinished(() => database.close());
  /** Creates a key. @returns its id, and a function that sends a GET request with its secret. */
  const createKey = async (fields: object) => {
    const { id, secret } = (await gateway.callAdmin("POST", "/keys", fields)).body;
    const read = async (path: string) => {
      const response = await gateway.call(secret, get(path));
      return { status: response.status, body: JSON.parse(response.body.toString()) };
    };
    return { id: id as string, read };
  };
  /** Sets what a scope has spent today, in nanodollars. */
  const setSpentToday = async (scope: string, spent: number, presumed = 0): Promise<void> => {
    const now = Date.now();
    await database.kysely
      .insertInto("budget_periods")
      .values({
        scope,
        period: "day",
        starts_at: now - (now % DAY_MS),
        limit_nanodollars: 1,
        spent_nanodollars: spent,
        presumed_nanodollars: presumed,
        leased_nanodollars: 7,
      })
      .execute();
  };
  return { gateway, createKey, setSpentToday };
}

test("shows the budget of the key of which the least money remains, in OpenRouter's fields", async () => {
  const { createKey, setSpentToday } = await start();
  const budgets = { day: { limit_usd: 0.45 }, month: { limit_usd: 0.3 }, total: { limit_usd: 9 } };
  const { id, read } = await createKey({ name: "bob", limits: { budgets } });
  expect((await read("/openai/v1/key")).body.data).toMatchObject({
    limit: 0.3,
    limit_remaining: 0.3,
    limit_reset: "monthly",
  });
  await setSpentToday(`key:${id}`, 200_000_000, 50_000_000);
  for (const base of ["/openai/v1", "/v1", "/api/v1"])
    expect((await read(`${base}/key`)).body.data).toMatchObject({
      limit: 0.45,
      limit_remaining: 0.2,
      limit_reset: "daily",
    });
});

test("a budget of the group counts too, and a budget without a reset has limit_reset null", async () => {
  const { gateway, createKey, setSpentToday } = await start();
  const group = await gateway.callAdmin("POST", "/groups", {
    name: "team-a",
    limits: { budgets: { day: { limit_usd: 2 } } },
  });
  const limits = { budgets: { total: { limit_usd: 1 } } };
  const { read } = await createKey({ name: "bob", group: "team-a", limits });
  expect((await read("/v1/key")).body.data).toMatchObject({
    limit: 1,
    limit_remaining: 1,
    limit_reset: null,
  });
  await setSpentToday(`group:${group.body.id}`, 2_500_000_000);
  expect((await read("/v1/key")).body.data).toMatchObject({
    limit: 2,
    limit_remaining: 0,
    limit_reset: "daily",
  });
});

test("shows credits as the usage of the key plus the rest of its tightest budget, below every base path", async () => {
  const { createKey, setSpentToday } = await start();
  const { id, read } = await createKey({ name: "bob", limits: { budgets: { day: { limit_usd: 0.45 } } } });
  await setSpentToday(`key:${id}`, 200_000_000);
  for (const base of ["/openai/v1", "/v1", "/api/v1"])
    expect(await read(`${base}/credits`)).toEqual({
      status: 200,
      body: { data: { total_credits: 0.25, total_usage: 0 } },
    });
});

test("responds to a request for the credits of a key without a budget with 404 and the remedy", async () => {
  const { gateway, createKey } = await start();
  const { read } = await createKey({ name: "bob" });
  expect(await read("/v1/credits")).toMatchObject({
    status: 404,
    body: {
      error: { code: "unknown_url", message: expect.stringContaining("this key has none. Ask the operator") },
    },
  });
  expect((await gateway.call("sk-unknown", get("/v1/credits"))).status).toBe(401);
  const post = await gateway.call(gateway.caller, { ...get("/v1/credits"), method: "POST" });
  expect([post.status, post.headers["allow"]]).toEqual([405, "GET"]);
});

test("in own-key mode, the credits are those of the client's account, and the request is not forwarded", async () => {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  const gateway = await startTestGateway(simulator.baseUrl, {
    DATA_DIR: undefined,
    OPENROUTER_API_KEY: undefined,
    GATEWAY_API_KEYS: undefined,
  });
  const headers = { authorization: "Bearer sk-or-v1-mine" };
  const response = await sendRequest(gateway.port, { ...get("/v1/credits"), headers });
  expect([response.status, response.body.toString()]).toEqual([
    404,
    expect.stringContaining("call OpenRouter's own /credits endpoint"),
  ]);
  expect(simulator.seen).toEqual([]);
});
