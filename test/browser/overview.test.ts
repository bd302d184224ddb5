import { expect, test } from "vitest";
import { waitUntil } from "../support/wait.ts";
import { type Dashboard, findViolations, openDashboard, startDashboardGateway } from "./dashboard.ts";

/** Sends a request, and opens the last hour of the overview once it is shown there. */
async function openOverview(): Promise<Dashboard> {
  const gateway = await startDashboardGateway();
  await gateway.call(gateway.caller);
  const dashboard = await openDashboard(gateway);
  await dashboard.signIn("/overview?period=1h");
  await dashboard.page.getByRole("slider", { name: "Spend" }).waitFor();
  return dashboard;
}

test("the overview of a fresh gateway shows how to send the first request", async () => {
  const dashboard = await openDashboard(await startDashboardGateway());
  await dashboard.signIn("/overview");
  await dashboard.page.getByText("/openai/v1/chat/completions").waitFor();
  expect(await findViolations(dashboard.page, "first request")).toEqual([]);
});

test("a row of the breakdown filters the overview, and a chip ends the filter", async () => {
  const { page } = await openOverview();
  const row = page.getByRole("table", { name: "Breakdown by model" }).locator("tbody tr").first();
  const model = await row.locator(".row-link").innerText();
  const requests = await row.getByRole("link", { name: "show the requests of" }).getAttribute("href");
  expect(requests).toContain(`/dashboard/requests?${new URLSearchParams({ model: model.trim() })}&from=`);
  await row.locator(".row-link").click();
  await page.getByRole("button", { name: `Remove the filter Model: ${model.trim()}` }).waitFor();
  expect(new URL(page.url()).searchParams.get("model")).toBe(model.trim());
  await page.getByRole("button", { name: "Remove the filter Model" }).click();
  await waitUntil(() => !page.url().includes("model="), "the filter to end");
});

test("the arrow keys move the crosshair of all charts, and Escape hides it", async () => {
  const { page } = await openOverview();
  const requests = page.getByRole("slider", { name: "Requests" });
  const duration = page.getByRole("slider", { name: "Duration" });
  const readSteps = async (): Promise<(string | null)[]> =>
    Promise.all([requests, duration].map((chart) => chart.getAttribute("aria-valuenow")));
  // A chart ignores keys until it is drawn, which a slow machine does after its element exists.
  const pressHome = async (): Promise<(string | null)[]> => {
    await requests.press("Home");
    return readSteps();
  };
  await expect.poll(pressHome).toEqual(["0", "0"]);
  await requests.press("ArrowRight");
  await expect.poll(readSteps).toEqual(["1", "1"]);
  await requests.press("Escape");
  await expect.poll(async () => duration.getAttribute("aria-valuetext")).toMatch(/^Whole period: /);
});

test("a drag selects a period, and going back in the history returns from it", async () => {
  const { page } = await openOverview();
  const box = await page.locator(".u-over").first().boundingBox();
  if (!box) throw new Error("the chart has no size");
  await page.mouse.move(box.x + box.width / 4, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2, { steps: 4 });
  await page.mouse.up();
  await page.getByRole("button", { name: "Remove the filter Period" }).waitFor();
  const { searchParams } = new URL(page.url());
  const lengthMs = Date.parse(searchParams.get("to") ?? "") - Date.parse(searchParams.get("from") ?? "");
  expect(Math.abs(lengthMs / 60_000 - 15)).toBeLessThanOrEqual(2);
  await page.goBack();
  await waitUntil(() => !page.url().includes("from="), "the zoom to end");
});

test("a chart becomes a table with the same numbers and a CSV file", async () => {
  const { page } = await openOverview();
  await page.getByRole("button", { name: "Show Requests as" }).click();
  const table = page.getByRole("table", { name: "Requests over time" });
  await expect.poll(async () => table.locator("tbody tr").count()).toBe(60);
  expect(await findViolations(page, "chart as table")).toEqual([]);
  const card = page.locator("section", { has: table });
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    card.getByRole("button", { name: "CSV" }).click(),
  ]);
  expect(download.suggestedFilename()).toBe("requests.csv");
});
