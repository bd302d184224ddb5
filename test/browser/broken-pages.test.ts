import { expect, test } from "vitest";
import { openDashboard, startDashboardGateway } from "./dashboard.ts";

test.each(["/keys/%25", "/keys/100%25zz", "/requests/%25"])(
  "shows an error for an unknown record at %s",
  async (path) => {
    const gateway = await startDashboardGateway();
    const dashboard = await openDashboard(gateway);
    await dashboard.signIn();
    for (const url of [path, `${path}/budgets`]) dashboard.watched.expectFailure(`GET /admin/v1${url} 404`);
    await dashboard.open(path);
    await dashboard.page.getByText("Error 404").first().waitFor();
    expect(await dashboard.page.getByRole("button", { name: "Sign out" }).count()).toBe(1);
  },
);

test("a page that cannot be drawn says so, and leaves the navigation usable", async () => {
  const dashboard = await openDashboard(await startDashboardGateway());
  await dashboard.signIn();
  const { page } = dashboard;
  // The page reads parts of the response that this one does not have.
  await page.route("**/admin/v1/health", (route) => route.fulfill({ json: {} }));
  await page.getByRole("link", { name: "Health" }).click();
  await page.getByText("This page could not be shown").waitFor();
  await page.getByRole("link", { name: "Keys" }).click();
  await page.getByRole("heading", { name: "Keys", level: 1 }).waitFor();
  expect(await page.getByText("This page could not be shown").count()).toBe(0);
});
