import { expect, test } from "vitest";
import { findViolations, openDashboard, overflows, SECTIONS, startDashboardGateway } from "./dashboard.ts";

/** @returns the sum of the red, green and blue of the background: 0 is black, 765 is white. */
function measureBrightness(color: string): number {
  return (color.match(/\d+/g) ?? []).slice(0, 3).reduce((sum, part) => sum + Number(part), 0);
}

test.each(["light", "dark"] as const)("every page passes axe-core in %s mode", async (colorScheme) => {
  const gateway = await startDashboardGateway();
  const dashboard = await openDashboard(gateway, { colorScheme });
  await dashboard.open();
  await dashboard.page.getByLabel("Admin key").waitFor();
  const found = await findViolations(dashboard.page, "form to sign in");
  await dashboard.signIn();
  for (const section of SECTIONS) {
    await dashboard.goTo(section);
    await dashboard.waitUntilLoaded();
    found.push(...(await findViolations(dashboard.page, section)));
  }
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

test("no page is wider than a window of 375 px", async () => {
  const gateway = await startDashboardGateway();
  await gateway.call(gateway.caller);
  const dashboard = await openDashboard(gateway, { width: 375, height: 740 });
  await dashboard.signIn();
  const wide: string[] = [];
  for (const section of SECTIONS) {
    await dashboard.goTo(section);
    await dashboard.waitUntilLoaded();
    if (await overflows(dashboard.page)) wide.push(section);
  }
  expect(wide).toEqual([]);
});

test("the keyboard alone signs in and opens a page", async () => {
  const gateway = await startDashboardGateway();
  const dashboard = await openDashboard(gateway);
  const { page } = dashboard;
  await dashboard.open();
  await page.getByLabel("Admin key").waitFor();
  const press = async (key: string, until: () => Promise<boolean>): Promise<void> => {
    for (let count = 0; count < 40 && !(await until()); count++) await page.keyboard.press(key);
    expect(await until()).toBe(true);
  };
  const hasFocus = (selector: string) => (): Promise<boolean> =>
    page.evaluate((text) => document.activeElement?.matches(text) ?? false, selector);
  await press("Tab", hasFocus('input[name="key"]'));
  await page.keyboard.type(gateway.admin);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
  await press("Tab", hasFocus('a[href="/dashboard/keys"]'));
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Keys" }).waitFor();
  expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("H1");
});
