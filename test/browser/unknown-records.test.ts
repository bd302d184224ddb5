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
