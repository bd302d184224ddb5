import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";
import { buildChatBody, CHAT_PATH } from "../support/chat-request.ts";
import { type KeyedGateway, startKeyedGateway } from "../support/keyed-gateway.ts";
import { type Scrape, scrape } from "../support/scrape.ts";
import { startTestSimulator } from "../support/simulator.ts";
import { waitUntil } from "../support/wait.ts";

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

/** The figures of a budget in nanodollars. */
interface Figures {
  readonly scope: string;
  readonly name: string;
  readonly period: string;
  readonly limit: number;
  readonly spent: number;
  readonly reserved: number;
}

const toNanodollars = (usd: unknown): number => Math.round(Number(usd) * 1e9);

/** Reads the budgets from the admin API. */
async function readAdminFigures(gateway: KeyedGateway): Promise<Figures[]> {
  const figures: Figures[] = [];
  for (const [scope, path, name] of [
    ["key", "keys", "key-b"],
    ["key", "keys", "unused"],
    ["group", "groups", "team-a"],
  ] as const) {
    const { body } = await gateway.callAdmin("GET", `/${path}/${name}/budgets`);
    for (const { period, limit_usd, spent_usd, reserved_usd, presumed_usd } of body.data)
      figures.push({
        scope,
        name,
        period,
        limit: toNanodollars(limit_usd),
        spent: toNanodollars(spent_usd),
        reserved: toNanodollars(reserved_usd) + toNanodollars(presumed_usd),
      });
  }
  return figures;
}

/** Reads the figures of the same budgets from a scrape. */
function findFigures({ sum }: Scrape, budgets: readonly Figures[]): Figures[] {
  return budgets.map(({ scope, name, period }) => {
    const read = (metric: string): number => toNanodollars(sum(metric, { scope, name, period }));
    const limit = read("sluice_budget_limit_usd");
    const spent = read("sluice_budget_spent_usd");
    return { scope, name, period, limit, spent, reserved: read("sluice_budget_reserved_usd") };
  });
}

test("with METRICS_KEY_LABEL, the metrics of budgets have the figures of the admin API, and no end user", async () => {
  const simulator = await startTestSimulator();
  const gateway = await startKeyedGateway(simulator.baseUrl, {
    METRICS_PORT: "0",
    METRICS_KEY_LABEL: "true",
  });
  await useBudgets(gateway);
  // Rows are settled and leases change shortly after a request, and metrics keep the figures of the database for 10 s.
  const { text, samples, sum } = await waitUntil(
    async () => {
      const scraped = await scrape(gateway.metricsUrl);
      const figures = await readAdminFigures(gateway);
      const isSettled = figures.some(({ spent }) => spent > 0);
      return isSettled && isDeepStrictEqual(findFigures(scraped, figures), figures) ? scraped : undefined;
    },
    "the figures of the admin API",
    45_000,
  );
  expect(samples.filter(({ name }) => name === "sluice_budget_limit_usd")).toHaveLength(4);
  expect(sum("sluice_budgets_omitted")).toBe(0);
  expect(text).not.toContain(END_USER);
}, 60_000);

test("without METRICS_KEY_LABEL, no name of a key or group and no budget is in the metrics", async () => {
  const simulator = await startTestSimulator();
  const gateway = await startKeyedGateway(simulator.baseUrl, { METRICS_PORT: "0" });
  await useBudgets(gateway);
  const { text } = await scrape(gateway.metricsUrl);
  for (const absent of [END_USER, "team-a", "key-b", "sluice_budget_limit_usd"])
    expect(text).not.toContain(absent);
});
