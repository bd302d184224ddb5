import { expect, test } from "vitest";
import { openDashboard, startDashboardGateway } from "./dashboard.ts";

test("the dashboard signs in with an admin key, and out", async () => {
  const gateway = await startDashboardGateway();
  const dashboard = await openDashboard(gateway);
  const { page, watched } = dashboard;
  await dashboard.signIn();
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
  const [cookie] = await watched.context.cookies(`${gateway.origin}/admin/v1/`);
  expect(cookie).toMatchObject({
    name: "sluice_session",
    httpOnly: true,
    sameSite: "Strict",
    path: "/admin/v1",
  });
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Admin key").waitFor();
  expect(await watched.context.cookies(`${gateway.origin}/admin/v1/`)).toEqual([]);
  await page.reload();
  await page.getByLabel("Admin key").waitFor();
});

test("the form refuses a wrong key and a caller's key, and says why", async () => {
  const gateway = await startDashboardGateway();
  const dashboard = await openDashboard(gateway);
  dashboard.watched.expectFailure("POST /admin/v1/session 401");
  dashboard.watched.expectFailure("POST /admin/v1/session 403");
  await dashboard.open();
  const refusals = [
    ["sk-slc-wrong", /unknown/],
    [gateway.caller, /admin/],
  ] as const;
  for (const [secret, reason] of refusals) {
    await dashboard.submitKey(secret);
    await dashboard.page.getByRole("alert").filter({ hasText: reason }).waitFor();
    expect(await dashboard.page.getByRole("button", { name: "Sign out" }).count()).toBe(0);
    expect(await dashboard.watched.context.cookies(`${gateway.origin}/admin/v1/`)).toEqual([]);
    await dashboard.page.reload();
  }
});

/** Lifetime of the session in the test of its expiry; long enough to open a page on a slow machine. */
const SESSION_MS = 20_000;

test("an expired session leads to the form, and the form leads back to the page with its filters", async () => {
  const gateway = await startDashboardGateway({ DASHBOARD_SESSION_MS: String(SESSION_MS) });
  const dashboard = await openDashboard(gateway);
  const { page, watched } = dashboard;
  watched.expectFailure(/^GET \/admin\/v1\/.* 401$/);
  const title = page.getByRole("heading", { level: 1, name: "Requests" });
  await dashboard.signIn("/requests?status=503");
  await title.waitFor();
  await page.getByText("Your session has expired").waitFor();
  expect(await title.count()).toBe(0);
  await dashboard.submitKey(gateway.admin);
  await title.waitFor();
  expect(page.url()).toBe(`${gateway.origin}/dashboard/requests?status=503`);
  expect(await page.getByLabel("Status").inputValue()).toBe("503");
});

test("a session that ends on the server leads to the form", async () => {
  const gateway = await startDashboardGateway();
  const dashboard = await openDashboard(gateway);
  const { page, watched } = dashboard;
  watched.expectFailure(/^GET \/admin\/v1\/.* 401$/);
  await dashboard.signIn("/keys");
  await page.getByRole("heading", { level: 1, name: "Keys" }).waitFor();
  const [cookie] = await watched.context.cookies(`${gateway.origin}/admin/v1/`);
  const ended = await fetch(`${gateway.origin}/admin/v1/session`, {
    method: "DELETE",
    headers: { cookie: `sluice_session=${cookie?.value}`, "sec-fetch-site": "same-origin" },
  });
  expect(ended.status).toBe(204);
  await page.getByText("Your session has expired").waitFor();
});

test("the browser stores nothing but the theme, and no URL contains the key", async () => {
  const gateway = await startDashboardGateway();
  const dashboard = await openDashboard(gateway);
  const { page, watched } = dashboard;
  await dashboard.signIn();
  for (const section of ["Requests", "Keys", "Models", "Health"] as const) await dashboard.goTo(section);
  await page.getByLabel("Theme").selectOption("Dark");
  const stored = await page.evaluate(() => [Object.keys(localStorage), Object.keys(sessionStorage)]);
  expect(stored).toEqual([["sluice-theme"], []]);
  expect(watched.urls.filter((url) => url.includes(gateway.admin) || url.includes("sk-slc"))).toEqual([]);
});
