import { expect, test } from "vitest";
import { type Dashboard, openDashboard, startDashboardGateway } from "./dashboard.ts";

/** More elements than a page has before its content. */
const TABS_MAX = 40;

/** Presses Tab until the focus is on an element with this role and name. */
async function tabTo({ page }: Dashboard, role: "textbox" | "link" | "button", name: string): Promise<void> {
  const target = role === "textbox" ? page.getByLabel(name) : page.getByRole(role, { name, exact: true });
  await target.first().waitFor();
  const hasFocus = (): Promise<boolean> => target.first().evaluate((node) => node === document.activeElement);
  for (let count = 0; count < TABS_MAX && !(await hasFocus()); count++) await page.keyboard.press("Tab");
  expect([name, await hasFocus()]).toEqual([name, true]);
}

test("the keyboard alone signs in, opens a page, and opens and closes a dialog", async () => {
  const gateway = await startDashboardGateway();
  const dashboard = await openDashboard(gateway);
  const { page } = dashboard;
  const readFocus = (): Promise<string | undefined> =>
    page.evaluate(() => document.activeElement?.textContent ?? undefined);
  await dashboard.open();
  await tabTo(dashboard, "textbox", "Admin key");
  await page.keyboard.type(gateway.admin);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
  await tabTo(dashboard, "link", "Keys");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Keys" }).waitFor();
  // Screen readers read the title of the new page.
  await expect.poll(readFocus).toBe("Keys");
  await tabTo(dashboard, "button", "Create key");
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Create a key" });
  await dialog.waitFor();
  for (let count = 0; count < TABS_MAX; count++) {
    await page.keyboard.press("Tab");
    const isOutside = await page.evaluate(
      () =>
        document.activeElement?.closest("#app") != null && document.activeElement.closest("dialog") === null,
    );
    expect([count, isOutside]).toEqual([count, false]);
  }
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  expect(await readFocus()).toBe("Create key");
});
