import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { expect, test } from "vitest";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { openDashboard, startDemoGateway } from "./dashboard.ts";

/** The README shows the images, and should load quickly. */
const SIZE_MAX_BYTES = 300_000;
/** `npm run screenshots` sets the directory. Otherwise, the images are deleted after the test. */
const directory = process.env["SCREENSHOTS"];

test("the overview shows the week of the demo in pictures below 300 kB", async () => {
  const dashboard = await openDashboard(await startDemoGateway());
  const { page } = dashboard;
  await dashboard.signIn("/overview?period=7d");
  await dashboard.waitUntilLoaded();
  expect(await page.getByText("$").count()).toBeGreaterThan(5);
  const images = directory ?? createTemporaryDirectory();
  mkdirSync(images, { recursive: true });
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    await dashboard.waitUntilLoaded();
    const path = join(images, `dashboard-overview-${colorScheme}.png`);
    await page.screenshot({ path, animations: "disabled" });
    expect(statSync(path).size).toBeLessThan(SIZE_MAX_BYTES);
  }
});
