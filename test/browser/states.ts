import type { Page } from "playwright-core";
import type { Dashboard } from "./dashboard.ts";

/** Called in each state of the dashboard. @param state names it. */
type Inspect = (state: string) => Promise<void>;

/** The pages with their own paths, and the parts of pages that the URL selects. */
const PATHS = [
  "/overview?period=7d",
  "/overview?period=7d&by=end_user",
  "/overview?period=7d&model=nobody/has-it",
  "/requests",
  "/requests?end_user=nobody",
  "/keys",
  "/keys?search=nothing-matches",
  "/keys?view=groups",
  "/models",
  "/models?search=nothing-matches",
  "/health",
  "/health?view=events",
  "/health?view=configuration",
  "/no-such-page",
] as const;

/** Visits every page of a dashboard with data, and the page of one request and of one key. */
export async function visitPages(dashboard: Dashboard, inspect: Inspect): Promise<void> {
  for (const path of PATHS) {
    await dashboard.visit(path);
    await inspect(path);
  }
  for (const list of ["/requests", "/keys"]) {
    await dashboard.visit(list);
    await dashboard.page.getByRole("table").first().locator("tbody").getByRole("link").first().click();
    await dashboard.page.waitForURL(`**${list}/*`);
    await dashboard.waitUntilLoaded();
    await inspect(`${list}/…`);
  }
}

/** Opens every dialog, and closes it with Escape. A key and a group are created on the way. */
export async function visitDialogs(dashboard: Dashboard, inspect: Inspect): Promise<void> {
  const { page } = dashboard;
  await dashboard.visit("/keys");
  await openDialog(page, "Create key", inspect, async () => {
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Name", { exact: true }).fill("not valid!");
    dashboard.watched.expectFailure("POST /admin/v1/keys 400");
    await dialog.getByRole("button", { name: "Create key" }).click();
    await dialog.locator("[aria-invalid=true]").waitFor();
    await inspect("dialog Create key with an error");
    await dialog.getByLabel("Name", { exact: true }).fill("inspected");
    await dialog.getByRole("button", { name: "Create key" }).click();
    await dialog.getByTestId("secret").waitFor();
    await dashboard.waitUntilLoaded();
    await inspect("dialog with the secret of a key");
  });
  await page.getByRole("table").first().getByRole("link", { name: "inspected" }).click();
  await page.getByRole("heading", { level: 1, name: "inspected" }).waitFor();
  for (const name of ["Edit", "Rotate", "Revoke"]) await openDialog(page, name, inspect);
  await dashboard.visit("/keys?view=groups");
  await openDialog(page, "Create group", inspect, async () => {
    await page.getByRole("dialog").getByLabel("Name", { exact: true }).fill("inspected");
    await page.getByRole("dialog").getByRole("button", { name: "Create group" }).click();
  });
  for (const name of ["Edit inspected", "Delete inspected"]) await openDialog(page, name, inspect);
  await dashboard.visit("/models");
  await page.getByRole("table", { name: "Models" }).locator("tbody").getByRole("link").first().click();
  await page.getByRole("dialog").waitFor();
  await dashboard.waitUntilLoaded();
  await inspect("dialog of a model");
  await page.keyboard.press("Escape");
}

/** Opens a dialog with its button. @param act continues in the dialog, which may end it. */
async function openDialog(
  page: Page,
  button: string,
  inspect: Inspect,
  act: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  await page.getByRole("button", { name: button, exact: true }).click();
  const dialog = page.getByRole("dialog");
  await dialog.waitFor();
  await inspect(`dialog ${button}`);
  await act();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
}
