import { expect, test } from "vitest";
import {
  type Dashboard,
  findOverflow,
  findViolations,
  openDashboard,
  startDashboardGateway,
  startDemoGateway,
} from "./dashboard.ts";
import { visitDialogs, visitPages } from "./states.ts";

const SCHEMES = ["light", "dark"] as const;

/** @returns the sum of the red, green and blue of the background: 0 is black, 765 is white. */
function measureBrightness(color: string): number {
  return (color.match(/\d+/g) ?? []).slice(0, 3).reduce((sum, part) => sum + Number(part), 0);
}

/** Collects what axe-core finds in the states of a dashboard, each in light and dark. */
function collectViolations({ page }: Dashboard): {
  found: string[];
  inspect: (state: string) => Promise<void>;
} {
  const found: string[] = [];
  const inspect = async (state: string): Promise<void> => {
    for (const colorScheme of SCHEMES) {
      await page.emulateMedia({ colorScheme });
      found.push(...(await findViolations(page, `${state}, ${colorScheme}`)));
    }
  };
  return { found, inspect };
}

test("every page passes axe-core in light and dark", async () => {
  const dashboard = await openDashboard(await startDemoGateway());
  const { found, inspect } = collectViolations(dashboard);
  await dashboard.signIn();
  await visitPages(dashboard, inspect);
  expect(found).toEqual([]);
});

test("the theme follows the system, and a choice overrides it", async () => {
  const gateway = await startDashboardGateway();
  const dashboard = await openDashboard(gateway, { colorScheme: "dark" });
  const { page } = dashboard;
  await dashboard.signIn();
  const readBackground = async (): Promise<number> =>
    measureBrightness(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
  expect(await readBackground()).toBeLessThan(200);
  await page.emulateMedia({ colorScheme: "light" });
  expect(await readBackground()).toBeGreaterThan(600);
  await page.emulateMedia({ colorScheme: "dark" });
  await page.getByLabel("Theme").selectOption("Light");
  expect(await readBackground()).toBeGreaterThan(600);
  await page.reload();
  await page.getByLabel("Theme").selectOption("Dark");
  expect(await readBackground()).toBeLessThan(200);
});

test("every dialog, the form to sign in and an empty gateway pass axe-core in light and dark", async () => {
  const dashboard = await openDashboard(await startDashboardGateway());
  const { found, inspect } = collectViolations(dashboard);
  await dashboard.open();
  await dashboard.page.getByLabel("Admin key").waitFor();
  await inspect("form to sign in");
  dashboard.watched.expectFailure("POST /admin/v1/session 401");
  await dashboard.submitKey("sk-slc-wrong");
  await dashboard.page.locator("[aria-invalid=true]").waitFor();
  await inspect("refused sign-in");
  await dashboard.signIn();
  for (const path of ["/overview", "/requests", "/keys?view=groups"]) {
    await dashboard.visit(path);
    await inspect(`${path} of an empty gateway`);
  }
  await visitDialogs(dashboard, inspect);
  expect(found).toEqual([]);
});

test("no page and no dialog is wider than a window of 375 px", async () => {
  const dashboard = await openDashboard(await startDemoGateway(), { width: 375, height: 740 });
  const wide: string[] = [];
  const inspect = async (state: string): Promise<void> =>
    void wide.push(...(await findOverflow(dashboard.page, state)));
  await dashboard.open();
  await dashboard.page.getByLabel("Admin key").waitFor();
  await inspect("form to sign in");
  await dashboard.signIn();
  await visitPages(dashboard, inspect);
  await visitDialogs(dashboard, inspect);
  expect(wide).toEqual([]);
});

test("the overview of an empty gateway is not wider than a window of 375 px", async () => {
  const dashboard = await openDashboard(await startDashboardGateway(), { width: 375, height: 740 });
  await dashboard.signIn();
  await dashboard.page.getByRole("heading", { name: "Send the first request" }).waitFor();
  expect(await findOverflow(dashboard.page, "empty overview")).toEqual([]);
});
