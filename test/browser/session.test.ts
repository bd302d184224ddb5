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
  for (const secret of ["sk-slc-wrong", gateway.caller]) {
    await dashboard.submitKey(secret);
    await dashboard.page.getByRole("alert").filter({ hasText: /\w/ }).first().waitFor();
    expect(await dashboard.page.getByRole("button", { name: "Sign out" }).count()).toBe(0);
    await dashboard.page.reload();
  }
});

test("an expired session leads to the form, and the form leads back to the page", async () => {
  const gateway = await startDashboardGateway();
  const dashboard = await openDashboard(gateway);
  const { page, watched } = dashboard;
  await dashboard.signIn("/keys");
  await page.getByRole("heading", { level: 1, name: "Keys" }).waitFor();
  // The server no longer knows the session, as after its expiry.
  const [cookie] = await watched.context.cookies(`${gateway.origin}/admin/v1/`);
  for (const path of ["keys", "groups", "models", "usage"])
    watched.expectFailure(`GET /admin/v1/${path} 401`);
  const ended = await fetch(`${gateway.origin}/admin/v1/session`, {
    method: "DELETE",
    headers: { cookie: `sluice_session=${cookie?.value}`, "sec-fetch-site": "same-origin" },
  });
  expect(ended.status).toBe(204);
  await page.getByLabel("Admin key").waitFor();
  await dashboard.submitKey(gateway.admin);
  await page.getByRole("heading", { level: 1, name: "Keys" }).waitFor();
  expect(new URL(page.url()).pathname).toBe("/dashboard/keys");
});

test("the browser stores nothing but the theme, and no URL contains the key", async () => {
  const gateway = await startDashboardGateway();
  const dashboard = await openDashboard(gateway);
  const { page, watched } = dashboard;
  await dashboard.signIn();
  for (const section of ["Requests", "Keys", "Models", "Health"] as const) await dashboard.goTo(section);
  await page.getByRole("button", { name: /theme/ }).click();
  const stored = await page.evaluate(() => [Object.keys(localStorage), Object.keys(sessionStorage)]);
  expect(stored).toEqual([["sluice-theme"], []]);
  expect(watched.urls.filter((url) => url.includes(gateway.admin) || url.includes("sk-slc"))).toEqual([]);
});
