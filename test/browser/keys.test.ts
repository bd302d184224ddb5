import OpenAI from "openai";
import { expect, test } from "vitest";
import { findViolations, openDashboard, startDashboardGateway } from "./dashboard.ts";

const MODEL = "openai/gpt-4o-mini";

/** Sends a chat completion with OpenAI's SDK. */
async function complete(origin: string, secret: string): Promise<string> {
  const client = new OpenAI({ baseURL: `${origin}/openai/v1`, apiKey: secret, maxRetries: 0 });
  const { choices } = await client.chat.completions.create({
    model: MODEL,
    max_tokens: 100,
    messages: [{ role: "user", content: "Hello" }],
  });
  return choices[0]?.message.content ?? "";
}

test("a key that the dashboard creates works with OpenAI's SDK, and its requests appear without a reload", async () => {
  const gateway = await startDashboardGateway();
  const dashboard = await openDashboard(gateway);
  const { page } = dashboard;
  await dashboard.signIn("/keys");
  await page.getByRole("button", { name: "Create key" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name", { exact: true }).fill("browser-made");
  expect(await findViolations(page, "dialog to create a key")).toEqual([]);
  await dialog.getByRole("button", { name: "Create key" }).click();
  await dialog.getByRole("button", { name: "Copy secret" }).click();
  const secret = await page.evaluate(() => navigator.clipboard.readText());
  expect(secret).toBe(await dialog.getByTestId("secret").textContent());
  await page.keyboard.press("Escape");
  expect(await page.content()).not.toContain(secret);
  await dashboard.goTo("Requests");
  await dashboard.waitUntilLoaded();
  const loads = dashboard.watched.urls.filter((url) => url.endsWith("/dashboard/keys")).length;
  expect(await complete(gateway.origin, secret)).toContain("Hello");
  await page.getByRole("table").getByText("browser-made").first().waitFor();
  expect(dashboard.watched.urls.filter((url) => url.endsWith("/dashboard/keys")).length).toBe(loads);
});

test("a budget that the API sets refuses a request, and the page of the key shows it as used up", async () => {
  const gateway = await startDashboardGateway();
  const { body: key } = await gateway.callAdmin("POST", "/keys", { name: "frugal" });
  await complete(gateway.origin, key.secret);
  await gateway.callAdmin("PATCH", "/keys/frugal", {
    limits: { budgets: { day: { limit_usd: "0.000000001" } } },
  });
  await expect(complete(gateway.origin, key.secret)).rejects.toMatchObject({
    status: expect.toBeOneOf([402, 429]) as number,
  });
  const dashboard = await openDashboard(gateway);
  await dashboard.signIn(`/keys/${key.id}`);
  await dashboard.page.getByText("used up").waitFor();
});

test("Escape closes a dialog, and the focus returns to its button", async () => {
  const gateway = await startDashboardGateway();
  const dashboard = await openDashboard(gateway);
  const { page } = dashboard;
  await dashboard.signIn("/keys");
  await page.getByRole("button", { name: "Create key" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Create key");
});

test("markup in the names of owners, models, end users and sessions is shown as text", async () => {
  const gateway = await startDashboardGateway();
  const markup = `"><img src=x onerror=alert(1)><script>alert(2)</script>`;
  const { body: key } = await gateway.callAdmin("POST", "/keys", {
    name: "hostile",
    owner: markup,
    metadata: { note: markup },
    end_users: { source: "user" },
  });
  const { status } = await gateway.call(key.secret, {
    headers: { "x-session-id": markup },
    body: JSON.stringify({ model: `sim/ok`, user: markup, messages: [{ role: "user", content: "Hi" }] }),
  });
  expect(status).toBe(200);
  await gateway.call(key.secret, {
    body: JSON.stringify({ model: `x/${markup}`, messages: [{ role: "user", content: "Hi" }] }),
  });
  const dashboard = await openDashboard(gateway);
  const { page } = dashboard;
  page.on("dialog", (dialog) => {
    throw new Error(`a script ran: ${dialog.message()}`);
  });
  await dashboard.signIn();
  for (const section of ["Overview", "Requests", "Keys", "Health"] as const) {
    await dashboard.goTo(section);
    await dashboard.waitUntilLoaded();
    expect(await page.locator("img[onerror], #app script").count()).toBe(0);
  }
  await dashboard.goTo("Keys");
  await page.getByText(markup).first().waitFor();
});
