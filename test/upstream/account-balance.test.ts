import { expect, onTestFinished, test } from "vitest";
import type { Alert } from "../../src/alerts/alert.ts";
import { loadConfig } from "../../src/config/config.ts";
import { createLogger } from "../../src/observability/logger.ts";
import { createBalanceReaders } from "../../src/upstream/account.ts";
import { AccountBalance } from "../../src/upstream/account-balance.ts";
import { connectUpstream } from "../../src/upstream/openrouter.ts";
import { startJsonServer } from "../support/json-server.ts";

const USD = 1e9;
const FIVE_MINUTES_MS = 300_000;

/** Amounts as OpenRouter states them, which tests change; undefined: the endpoint responds with 500. */
interface Amounts {
  limit_remaining?: unknown;
  credits?: { total_credits: unknown; total_usage: unknown };
}

async function start(amounts: Amounts, { lowNanodollars, managementKey = "management" }: Options = {}) {
  const { baseUrl, requests } = await startJsonServer((path) => {
    if (path.endsWith("/key") && "limit_remaining" in amounts)
      return { data: { limit_remaining: amounts.limit_remaining } };
    return path.endsWith("/credits") && amounts.credits ? { data: amounts.credits } : undefined;
  });
  const upstream = connectUpstream(loadConfig({ OPENROUTER_BASE_URL: baseUrl }).upstream);
  onTestFinished(() => upstream.close());
  const alerts: Alert[] = [];
  const messages: string[] = [];
  let nowMs = 0;
  let fails = false;
  const account = new AccountBalance({
    readers: createBalanceReaders(upstream, { apiKey: "caller", managementKey }),
    pollMs: 60_000,
    lowNanodollars,
    raise: (alert) => {
      if (fails) return Promise.reject(new Error("no database"));
      alerts.push(alert);
      return Promise.resolve();
    },
    logger: createLogger("debug", {
      write: (line: string) => void messages.push((JSON.parse(line) as { msg: string }).msg),
    }),
    now: () => nowMs,
  });
  return {
    account,
    alerts,
    messages,
    requests,
    pass: (ms: number) => void (nowMs += ms),
    setFailing: (isFailing: boolean) => void (fails = isFailing),
  };
}

interface Options {
  readonly lowNanodollars?: number;
  readonly managementKey?: string;
}

const ENOUGH = { total_credits: 10, total_usage: 1 };

test("refuses nothing before the first poll and while money is left", async () => {
  const { account, requests } = await start({ limit_remaining: 0.01, credits: ENOUGH });
  expect(account.refusal("a/b")).toBeUndefined();
  await account.poll();
  expect(account.refusal("a/b")).toBeUndefined();
  expect(requests.toSorted()).toEqual(["/api/v1/credits Bearer management", "/api/v1/key Bearer caller"]);
});

test.each([
  [
    "the limit of the key is 0",
    { limit_remaining: 0, credits: ENOUGH },
    "limit of the gateway's OpenRouter key",
  ],
  ["the limit of the key is negative", { limit_remaining: -0.5, credits: ENOUGH }, "raise the limit"],
  [
    "the credits are used up",
    { limit_remaining: null, credits: { total_credits: 5, total_usage: 5 } },
    "credits",
  ],
  [
    "the usage exceeds the credits",
    { limit_remaining: 3, credits: { total_credits: 5, total_usage: 6 } },
    "credits",
  ],
])("refuses requests with 402 if %s", async (_, amounts, text) => {
  const { account, messages } = await start(amounts);
  await account.poll();
  expect(account.refusal("a/b")).toMatchObject({
    status: 402,
    code: "account_exhausted",
    headers: { "x-should-retry": "false" },
    message: expect.stringContaining(text) as string,
  });
  expect(messages).toEqual(["account: money used up, refusing requests"]);
});

test.each(["a/b:free", "a/b:free@preset/x", "openrouter/free"])(
  "does not refuse the free model %s",
  async (model) => {
    const { account } = await start({ limit_remaining: 0, credits: ENOUGH });
    await account.poll();
    expect(account.refusal(model)).toBeUndefined();
    expect(
      [account.refusal("a/b:freedom"), account.refusal(undefined)].map((error) => error?.status),
    ).toEqual([402, 402]);
  },
);

test("accepts requests again after a poll that shows money", async () => {
  const amounts: Amounts = { limit_remaining: 0, credits: ENOUGH };
  const { account, messages } = await start(amounts);
  await account.poll();
  await account.poll();
  amounts.limit_remaining = 1;
  await account.poll();
  expect(account.refusal("a/b")).toBeUndefined();
  expect(messages).toEqual([
    "account: money used up, refusing requests",
    "account: money is available again",
  ]);
});

test("trusts a used-up balance for five minutes while polls fail, and then refuses nothing", async () => {
  const amounts: Amounts = { limit_remaining: 0, credits: ENOUGH };
  const { account, messages, pass } = await start(amounts);
  await account.poll();
  delete amounts.limit_remaining;
  pass(FIVE_MINUTES_MS);
  await account.poll();
  await account.poll();
  expect(account.refusal("a/b")?.status).toBe(402);
  pass(1);
  expect(account.refusal("a/b")).toBeUndefined();
  expect(messages).toEqual(["account: money used up, refusing requests", "account: poll failed, will retry"]);
});

test.each([
  ["a failed poll", {}],
  ["a text as limit", { limit_remaining: "0" }],
  ["no limit", { limit_remaining: null }],
  ["no field", { limit_remaining: undefined }],
  ["a text as credits", { limit_remaining: null, credits: { total_credits: "0", total_usage: 1 } }],
])("refuses nothing after %s", async (_, amounts) => {
  const { account } = await start(amounts);
  await account.poll();
  expect(account.refusal("a/b")).toBeUndefined();
});

test("polls the limit of the key even if the management key is refused", async () => {
  const { account } = await start({ limit_remaining: 0 });
  await account.poll();
  expect(account.refusal("a/b")?.message).toContain("limit of the gateway's OpenRouter key");
});

test("without a management key, polls only the gateway's key", async () => {
  const { baseUrl, requests } = await startJsonServer(() => ({ data: { limit_remaining: 1 } }));
  const upstream = connectUpstream(loadConfig({ OPENROUTER_BASE_URL: baseUrl }).upstream);
  onTestFinished(() => upstream.close());
  const readers = createBalanceReaders(upstream, { apiKey: "caller", managementKey: undefined });
  expect(await Promise.all(Array.from(readers.values(), (read) => read()))).toEqual([USD]);
  expect(requests).toEqual(["/api/v1/key Bearer caller"]);
});

test("raises one alert for each drop below the configured amount", async () => {
  const amounts: Amounts = { limit_remaining: 5, credits: ENOUGH };
  const { account, alerts } = await start(amounts, { lowNanodollars: 5 * USD });
  const states = [5, 4.999999999, 3, 6, -1];
  const counts: number[] = [];
  for (const state of states) {
    amounts.limit_remaining = state;
    await account.poll();
    counts.push(alerts.length);
  }
  expect(counts).toEqual([0, 1, 1, 1, 2]);
  const today = new Date().toISOString().slice(0, 10);
  expect(alerts[0]).toEqual({
    id: `low_account_credit:key_limit:${today}`,
    type: "low_account_credit",
    data: { source: "key_limit", remaining_usd: "4.999999999", threshold_usd: "5.000000000" },
  });
  expect(alerts[1]?.data).toMatchObject({ remaining_usd: "-1.000000000" });
});

test("raises an alert again if the database did not store it", async () => {
  const { account, alerts, messages, setFailing } = await start(
    { limit_remaining: 1, credits: ENOUGH },
    { lowNanodollars: 2 * USD },
  );
  setFailing(true);
  await account.poll();
  expect(messages).toEqual(["alerts: database failed, will retry"]);
  setFailing(false);
  await account.poll();
  expect(alerts).toHaveLength(1);
});
