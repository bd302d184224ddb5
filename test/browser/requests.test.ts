import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type DashboardGateway, openDashboard, startDashboardGateway } from "./dashboard.ts";

/** More than one page of the table. */
const REQUESTS = 60;

/** Sends requests of the first caller, of which every tenth fails. */
async function sendRequests(gateway: DashboardGateway): Promise<void> {
  for (let number = 0; number < REQUESTS; number++) {
    const model = number % 10 === 0 ? "sim/error:status=503" : "openai/gpt-4o-mini";
    const body = JSON.stringify({ model, messages: [{ role: "user", content: `Number ${number}` }] });
    await gateway.call(gateway.caller, { body });
  }
}

test("the list of requests has older and newer pages, filters in the URL, a record for each request, and a CSV", async () => {
  const gateway = await startDashboardGateway();
  await sendRequests(gateway);
  const dashboard = await openDashboard(gateway);
  const { page } = dashboard;
  await dashboard.signIn("/requests");
  const rows = page.getByRole("table").getByRole("row");
  await page.getByRole("button", { name: "Older" }).click();
  // One row is the head.
  await expect.poll(() => rows.count(), { timeout: 10_000 }).toBe(REQUESTS - 50 + 1);
  await page.getByRole("button", { name: "Newer", exact: true }).click();
  await expect.poll(() => rows.count(), { timeout: 10_000 }).toBe(50 + 1);

  await dashboard.open("/requests?status=503");
  await expect.poll(() => rows.count(), { timeout: 10_000 }).toBe(REQUESTS / 10 + 1);
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "Export CSV" }).click();
  const file = readFileSync(await (await download).path(), "utf8");
  const { body } = await gateway.callAdmin("GET", "/requests?status=503&order=desc&format=csv");
  expect(file).toBe(body);
  expect(file.trim().split("\n").length).toBe(REQUESTS / 10 + 1);

  await rows.nth(1).getByRole("link").first().click();
  await page.getByRole("heading", { name: "Timeline" }).waitFor();
  expect(new URL(page.url()).pathname).toMatch(/^\/dashboard\/requests\/./);
  await page.goBack();
  expect(new URL(page.url()).search).toContain("status=503");
});
