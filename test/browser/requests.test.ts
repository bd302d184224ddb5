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
  await expect.poll(() => rows.count()).toBe(REQUESTS - 50 + 1);
  await page.getByRole("button", { name: "Newer", exact: true }).click();
  await expect.poll(() => rows.count()).toBe(50 + 1);

  await page.getByLabel("Result").selectOption({ label: "All failures" });
  await expect.poll(() => rows.count()).toBe(REQUESTS / 10 + 1);
  expect(new URL(page.url()).searchParams.get("failed")).toBe("true");
  await page.getByLabel("Model").fill("sim/ok");
  await page.keyboard.press("Enter");
  await page.getByText("No request matches").waitFor();
  await page.goBack();
  await expect.poll(() => rows.count()).toBe(REQUESTS / 10 + 1);
  await page.getByRole("button", { name: "Clear filters" }).click();
  await expect.poll(() => rows.count()).toBe(50 + 1);

  await dashboard.open("/requests?status=503");
  await expect.poll(() => rows.count()).toBe(REQUESTS / 10 + 1);
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

test("the page shows a new request 5 s later, without a reload", async () => {
  const gateway = await startDashboardGateway();
  const dashboard = await openDashboard(gateway);
  const { page, watched } = dashboard;
  // The clock of the page runs only when the test says so, which makes the test independent of the machine's speed.
  await page.clock.install();
  await dashboard.signIn("/requests");
  await page.getByText("No requests yet").waitFor();
  await dashboard.waitUntilLoaded();
  const countLists = (): number => watched.urls.filter((url) => url.includes("/admin/v1/requests?")).length;
  const countDocuments = (): number =>
    watched.urls.filter((url) => url.includes("/dashboard/requests")).length;
  await page.clock.pauseAt(await page.evaluate(() => Date.now() + 1_000));
  const [lists, documents] = [countLists(), countDocuments()];
  await gateway.call(gateway.caller);
  await page.clock.runFor(5_000);
  await expect.poll(countLists).toBe(lists + 1);
  await page.clock.resume();
  await page.getByRole("table").getByText("first-caller").waitFor();
  expect(countDocuments()).toBe(documents);
});
