import { expect, test } from "vitest";
import { buildChatBody, CHAT_PATH } from "../support/chat-request.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { startTestGateway } from "../support/gateway.ts";
import { startTestSimulator } from "../support/simulator.ts";
import { waitUntil } from "../support/wait.ts";

const chat = { path: CHAT_PATH, method: "POST", body: buildChatBody() };
const POLL = { ACCOUNT_POLL_MS: "20" };

/** Returns the number of requests for models that the simulator has received. */
const countPosts = (seen: readonly { readonly method: string }[]): number =>
  seen.filter(({ method }) => method === "POST").length;

test("refuses requests with 402 while the limit of the gateway's key is used up, and sends nothing", async () => {
  const simulator = await startTestSimulator({ keyLimitUsd: 0 });
  const gateway = await startKeyedGateway(simulator.baseUrl, POLL);
  const log = "account: money used up, refusing requests";
  await waitUntil(() => gateway.readLog().includes(log), "the first poll");
  const { status, body, headers } = await gateway.call(gateway.caller, chat);
  expect([status, headers["x-should-retry"]]).toEqual([402, "false"]);
  expect(JSON.parse(body.toString())).toEqual({
    error: {
      message: expect.stringContaining("The limit of the gateway's OpenRouter key is used up") as string,
      type: "insufficient_quota",
      param: null,
      code: "account_exhausted",
    },
  });
  const dryRun = await gateway.call(gateway.caller, { ...chat, path: `${CHAT_PATH}?dryRun=true` });
  expect(dryRun.status).toBe(200);
  expect(countPosts(simulator.seen)).toBe(0);
  expect((await gateway.callAdmin("GET", "/requests")).body.data).toEqual([]);
});

test("refuses requests with 402 when the credits are used up, and warns below ACCOUNT_LOW_USD", async () => {
  const simulator = await startTestSimulator({ creditsUsd: 0, keyLimitUsd: null });
  const gateway = await startKeyedGateway(simulator.baseUrl, {
    ...POLL,
    OPENROUTER_MANAGEMENT_KEY: "sk-or-management",
    ACCOUNT_LOW_USD: "5",
  });
  await waitUntil(() => gateway.readLog().includes("alert: account credit is low"), "the alert");
  expect((await gateway.call(gateway.caller, chat)).status).toBe(402);
  const keys = simulator.seen.map(({ url, headers }) => `${url} ${headers.authorization}`);
  expect(new Set(keys)).toEqual(
    new Set(["/api/v1/key Bearer sk-or-account-0123456789", "/api/v1/credits Bearer sk-or-management"]),
  );
});

test("relays requests while money is left, and polls nothing in own-key mode or with ACCOUNT_POLL_MS=0", async () => {
  const simulator = await startTestSimulator();
  const gateway = await startKeyedGateway(simulator.baseUrl, POLL);
  const polls = () => simulator.seen.filter(({ url }) => url === "/api/v1/key");
  await waitUntil(() => polls().length > 1, "two polls");
  expect((await gateway.call(gateway.caller, chat)).status).toBe(200);
  await gateway.stop();
  simulator.reset();
  await startTestGateway(simulator.baseUrl, { ACCOUNT_POLL_MS: "0" });
  const own = { ...POLL, OPENROUTER_API_KEY: undefined, GATEWAY_API_KEYS: undefined };
  await startTestGateway(simulator.baseUrl, own);
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, 100);
  await promise;
  expect(simulator.seen).toEqual([]);
});

test("without a database, logs a low balance once", async () => {
  const simulator = await startTestSimulator({ keyLimitUsd: 1 });
  const gateway = await startTestGateway(simulator.baseUrl, { ...POLL, ACCOUNT_LOW_USD: "5" });
  await waitUntil(() => simulator.seen.length > 3, "four polls");
  const lines = gateway.logs.filter(({ msg }) => msg === "alert: account credit is low");
  expect(lines).toEqual([
    expect.objectContaining({
      source: "key_limit",
      remaining_usd: "1.000000000",
      threshold_usd: "5.000000000",
    }),
  ]);
});
