import OpenAI from "openai";
import { expect, test } from "vitest";
import { openDashboard, startDashboardGateway } from "./dashboard.ts";

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

test("a key that the dashboard creates works with OpenAI's SDK, and its secret is shown once", async () => {
  const gateway = await startDashboardGateway();
  const dashboard = await openDashboard(gateway);
  const { page } = dashboard;
  await dashboard.signIn("/keys");
  await page.getByRole("button", { name: "Create key" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name", { exact: true }).fill("browser-made");
  await dialog.getByRole("button", { name: "Create key" }).click();
  await dialog.getByRole("button", { name: "Copy secret" }).click();
  const secret = await page.evaluate(() => navigator.clipboard.readText());
  expect(secret).toBe(await dialog.getByTestId("secret").textContent());
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  expect(await page.content()).not.toContain(secret);
  expect(await complete(gateway.origin, secret)).toContain("Hello");
  await dashboard.goTo("Requests");
  await page.getByRole("table").getByText("browser-made").waitFor();
});

test("a budget that the dialog sets refuses a request, is shown as used up, and ends when it is removed", async () => {
  const gateway = await startDashboardGateway();
  const { body: key } = await gateway.callAdmin("POST", "/keys", { name: "frugal" });
  await complete(gateway.origin, key.secret);
  const dashboard = await openDashboard(gateway);
  const { page } = dashboard;
  const dialog = page.getByRole("dialog", { name: "Edit frugal" });
  const setBudget = async (usd: string): Promise<void> => {
    await page.getByRole("button", { name: "Edit", exact: true }).click();
    await dialog.getByLabel("Per day, USD").first().fill(usd);
    await dialog.getByRole("button", { name: "Save changes" }).click();
    await dialog.waitFor({ state: "detached" });
  };
  await dashboard.signIn(`/keys/${key.id}`);
  await page.getByText("No budget").waitFor();
  await setBudget("0.000000001");
  await page.getByText("used up").waitFor();
  await expect(complete(gateway.origin, key.secret)).rejects.toMatchObject({
    status: expect.toBeOneOf([402, 429]) as number,
  });
  await dashboard.goTo("Keys");
  await page
    .getByRole("table")
    .first()
    .getByRole("row", { name: "frugal" })
    .getByText(/^\$0.* left/)
    .waitFor();
  await page.goBack();
  await page.getByText("used up").waitFor();
  await setBudget("");
  await page.getByText("No budget").waitFor();
  expect(await complete(gateway.origin, key.secret)).toContain("Hello");
});

test("the dialog shows the error of a value at its field, and keeps the text", async () => {
  const gateway = await startDashboardGateway();
  const dashboard = await openDashboard(gateway);
  dashboard.watched.expectFailure("POST /admin/v1/keys 400");
  const { page } = dashboard;
  await dashboard.signIn("/keys");
  await page.getByRole("button", { name: "Create key" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name", { exact: true }).fill("valid");
  const budget = dialog.getByLabel("Per month, USD").first();
  await budget.fill("ten");
  await dialog.getByRole("button", { name: "Create key" }).click();
  await expect.poll(() => budget.getAttribute("aria-invalid")).toBe("true");
  expect(await budget.inputValue()).toBe("ten");
  expect((await gateway.callAdmin("GET", "/keys?search=valid")).body.data).toEqual([]);
});

test("rotating, disabling and revoking a key end its secrets", async () => {
  const gateway = await startDashboardGateway();
  const { body: key } = await gateway.callAdmin("POST", "/keys", { name: "replaced" });
  const dashboard = await openDashboard(gateway);
  const { page } = dashboard;
  const dialog = page.getByRole("dialog");
  const readStatus = async (secret: string): Promise<number> => (await gateway.call(secret)).status;
  await dashboard.signIn(`/keys/${key.id}`);
  await page.getByRole("button", { name: "Rotate" }).click();
  await dialog.getByRole("combobox").selectOption("0");
  await dialog.getByRole("button", { name: "Replace the secret" }).click();
  const secret = (await dialog.getByTestId("secret").textContent()) ?? "";
  await page.keyboard.press("Escape");
  await expect.poll(() => readStatus(key.secret)).toBe(401);
  expect(await readStatus(secret)).toBe(200);
  await page.getByRole("button", { name: "Disable" }).click();
  await page.getByRole("button", { name: "Enable" }).waitFor();
  await expect.poll(() => readStatus(secret)).toBe(401);
  await page.getByRole("button", { name: "Enable" }).click();
  await page.getByRole("button", { name: "Disable" }).waitFor();
  await expect.poll(() => readStatus(secret)).toBe(200);
  await page.getByRole("button", { name: "Revoke" }).click();
  await dialog.getByRole("textbox").fill("replaced");
  await dialog.getByRole("button", { name: "Revoke key" }).click();
  await page.getByText("Revoked permanently").waitFor();
  await expect.poll(() => readStatus(secret)).toBe(401);
});
