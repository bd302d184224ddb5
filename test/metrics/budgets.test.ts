import { expect, test } from "vitest";
import { buildChatBody, CHAT_PATH } from "../support/chat-request.ts";
import { type KeyedGateway, startKeyedGateway } from "../support/keyed-gateway.ts";
import { scrape } from "../support/scrape.ts";
import { startTestSimulator } from "../support/simulator.ts";

const END_USER = "an-end-user@example.org";

/** Creates a group and a key of it, both with budgets, and sends requests of an end user. */
async function useBudgets(gateway: KeyedGateway): Promise<void> {
  await gateway.callAdmin("POST", "/groups", {
    name: "team-a",
    limits: { budgets: { month: { limit_usd: 5 } } },
  });
  const created = await gateway.callAdmin("POST", "/keys", {
    name: "key-b",
    group: "team-a",
    limits: { budgets: { day: { limit_usd: 1 }, total: { limit_usd: 2, mode: "soft" } } },
    end_users: { source: "user", budgets: { day: { limit_usd: 0.5 } } },
  });
  expect(created.status).toBe(201);
  const request = { path: CHAT_PATH, method: "POST", body: buildChatBody({ user: END_USER }) };
  for (let sent = 0; sent < 3; sent++)
    expect((await gateway.call(created.body.secret, request)).status).toBe(200);
  await gateway.callAdmin("POST", "/keys", {
    name: "unused",
    limits: { budgets: { week: { limit_usd: 3 } } },
  });
}

test("with METRICS_KEY_LABEL, the metrics of budgets have the figures of the admin API, and no end user", async () => {
  const simulator = await startTestSimulator();
  const gateway = await startKeyedGateway(simulator.baseUrl, {
    METRICS_PORT: "0",
    METRICS_KEY_LABEL: "true",
  });
  await useBudgets(gateway);
  const { sum, text, samples } = await scrape(gateway.metricsUrl);
  const budgets: [string, string, string][] = [];
  for (const [scope, path, name] of [
    ["key", "keys", "key-b"],
    ["key", "keys", "unused"],
    ["group", "groups", "team-a"],
  ] as const) {
    const { body } = await gateway.callAdmin("GET", `/${path}/${encodeURIComponent(name)}/budgets`);
    for (const budget of body.data) {
      const labels = { scope, name, period: budget.period as string };
      const read = (metric: string) => Math.round((sum(metric, labels) ?? Number.NaN) * 1e9);
      const toNano = (usd: unknown) => Math.round(Number(usd) * 1e9);
      expect(read("sluice_budget_limit_usd")).toBe(toNano(budget.limit_usd));
      expect(read("sluice_budget_spent_usd")).toBe(toNano(budget.spent_usd));
      expect(read("sluice_budget_reserved_usd")).toBe(
        toNano(budget.reserved_usd) + toNano(budget.presumed_usd),
      );
      budgets.push([scope, name, budget.period]);
    }
  }
  expect(budgets).toHaveLength(4);
  expect(samples.filter(({ name }) => name === "sluice_budget_limit_usd")).toHaveLength(4);
  expect(sum("sluice_budget_spent_usd", { name: "key-b", period: "day" })).toBeGreaterThan(0);
  expect(sum("sluice_budgets_omitted")).toBe(0);
  expect(text).not.toContain(END_USER);
});

test("without METRICS_KEY_LABEL, no name of a key or group and no budget is in the metrics", async () => {
  const simulator = await startTestSimulator();
  const gateway = await startKeyedGateway(simulator.baseUrl, { METRICS_PORT: "0" });
  await useBudgets(gateway);
  const { text } = await scrape(gateway.metricsUrl);
  for (const absent of [END_USER, "team-a", "key-b", "sluice_budget_limit_usd"])
    expect(text).not.toContain(absent);
});
