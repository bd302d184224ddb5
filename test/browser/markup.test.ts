import { expect, test } from "vitest";
import { type Dashboard, type DashboardGateway, openDashboard, startDashboardGateway } from "./dashboard.ts";

/** Runs a script if a page inserts it as markup. */
const MARKUP = `"><img src=x onerror=alert(1)><script>alert(2)</script>`;
const MODEL = `x/${MARKUP}`;

/** Puts markup into every text that the admin API and clients may choose. @returns the id of the key. */
async function sendMarkup(gateway: DashboardGateway): Promise<string> {
  const { body: key } = await gateway.callAdmin("POST", "/keys", {
    name: "hostile",
    owner: MARKUP,
    metadata: { note: MARKUP },
    end_users: { source: "user" },
  });
  for (const model of ["openai/gpt-4o-mini", MODEL]) {
    await gateway.call(key.secret, {
      headers: { "x-session-id": MARKUP },
      body: JSON.stringify({ model, user: MARKUP, messages: [{ role: "user", content: "Hi" }] }),
    });
  }
  const isRecorded = async (): Promise<number> =>
    (await gateway.callAdmin("GET", `/requests?model=${encodeURIComponent(MODEL)}`)).body.data.length;
  await expect.poll(isRecorded).toBe(1);
  return key.id;
}

/** Visits a page, and expects the markup in its text and nowhere else. @param shown names an element with the text. */
async function expectText(dashboard: Dashboard, path: string, shown: string = MARKUP): Promise<void> {
  await dashboard.visit(path);
  const { page } = dashboard;
  await expect.poll(async () => page.locator("#app").textContent(), { message: path }).toContain(shown);
  await dashboard.waitUntilLoaded();
  expect([path, await page.locator("img, #app script").count()]).toEqual([path, 0]);
}

test("markup in owners, metadata, models, end users, sessions and filters is shown as text", async () => {
  const gateway = await startDashboardGateway();
  const keyId = await sendMarkup(gateway);
  const dashboard = await openDashboard(gateway);
  const { page } = dashboard;
  page.on("dialog", (dialog) => {
    throw new Error(`a script ran: ${dialog.message()}`);
  });
  await dashboard.signIn();
  const encoded = encodeURIComponent(MARKUP);
  const model = encodeURIComponent(MODEL);
  await expectText(dashboard, "/overview?by=model", MODEL);
  await expectText(dashboard, "/overview?by=end_user");
  await expectText(dashboard, `/overview?model=${model}`, MODEL);
  await expectText(dashboard, `/overview?provider=${encoded}`);
  await expectText(dashboard, "/requests", MODEL);
  await expectText(dashboard, `/requests?end_user=${encoded}&session=${encoded}`, MODEL);
  await page.getByRole("row").filter({ hasText: MODEL }).getByRole("link").first().click();
  await page.getByRole("heading", { name: "Timeline" }).waitFor();
  await expectText(dashboard, new URL(page.url()).pathname.replace("/dashboard", ""), MODEL);
  await expectText(dashboard, "/keys");
  await expectText(dashboard, `/keys/${keyId}`, `note = ${MARKUP}`);
  await expectText(dashboard, "/health", MODEL);
  await dashboard.visit("/health?view=events");
  for (const summary of await page.locator("summary").all()) await summary.click();
  await expectText(dashboard, "/health?view=events", JSON.stringify(MARKUP));
  await gateway.callAdmin("DELETE", `/keys/${keyId}`);
  await expectText(dashboard, "/keys?revoked=true");
  expect(await page.getByText(MARKUP).count()).toBeGreaterThan(0);
});

test("markup in the path and the query of a URL is shown as text, or not at all", async () => {
  const dashboard = await openDashboard(await startDashboardGateway());
  const { page, watched } = dashboard;
  watched.expectFailure(/^GET \/admin\/v1\/.* 4\d\d$/);
  await dashboard.signIn();
  const encoded = encodeURIComponent(MARKUP);
  const queries = ["overview?by=", "requests?status=", "requests?cursor=", "keys?search=", "models?search="];
  const paths = ["keys/", "requests/", "", "models?key=", "health?view=", ...queries];
  for (const path of paths) {
    await dashboard.visit(`/${path}${encoded}`);
    expect([path, await page.locator("img, #app script").count()]).toEqual([path, 0]);
  }
});
