import { createRequire } from "node:module";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { type KeyedGateway, startKeyedGateway } from "../support/keyed-gateway.ts";
import { startTestSimulator } from "../support/simulator.ts";

const TIMEOUT_MS = 30_000;

// The types of playwright-core need those of the DOM, which the gateway's code must not see.
// oxlint-disable-next-line typescript/no-explicit-any -- a page, whose content each test asserts
type Page = any;

const { chromium } = createRequire(import.meta.url)("playwright-core");
let browser: Page;

beforeAll(async () => {
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
});
afterAll(async () => {
  await browser.close();
});

interface OpenedPage {
  readonly page: Page;
  /** Errors and warnings of the page, among them violations of its content security policy. */
  readonly problems: readonly string[];
  /** URLs of other origins that the page has requested. */
  readonly foreignUrls: readonly string[];
}

async function open({ port }: KeyedGateway, path = "/docs", width = 1280): Promise<OpenedPage> {
  const context = await browser.newContext({ viewport: { width, height: 900 } });
  onTestFinished(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(TIMEOUT_MS);
  const problems: string[] = [];
  const foreignUrls: string[] = [];
  page.on("console", (message: Page) => {
    if (["error", "warning"].includes(message.type())) problems.push(message.text());
  });
  page.on("pageerror", (error: Page) => problems.push(error.message));
  page.on("request", (request: Page) => {
    const { origin, protocol } = new URL(request.url());
    if (protocol !== "data:" && origin !== `http://127.0.0.1:${port}`) foreignUrls.push(request.url());
  });
  await page.goto(`http://127.0.0.1:${port}${path}`);
  await page.locator(".opblock").first().waitFor();
  return { page, problems, foreignUrls };
}

/** Enters a key for one kind of key. */
async function authorize(page: Page, kind: string, key: string): Promise<void> {
  await page.locator(".scheme-container .btn.authorize").click();
  const entry = page.locator(".auth-container").filter({ hasText: kind });
  await entry.locator("input").fill(key);
  await entry.getByRole("button", { name: "Apply credentials" }).click();
  await page.locator(".close-modal").click();
}

/** Executes an operation as the page fills it in. @returns the status and the body that the page shows. */
async function execute(page: Page, method: string, path: string): Promise<{ status: string; body: string }> {
  const operation = page.locator(`.opblock-${method}`).filter({ has: page.locator(`[data-path="${path}"]`) });
  await operation.locator(".opblock-summary-control").click();
  await operation.getByRole("button", { name: "Try it out" }).click();
  await operation.getByRole("button", { name: "Execute" }).click();
  const response = operation.locator(".live-responses-table .response");
  return {
    status: (await response.locator(".response-col_status").innerText()).trim(),
    body: await response.locator(".highlight-code").first().innerText(),
  };
}

test.each(["/docs", "/docs/"])(
  "in a browser, the page at %s lists the operations, loads nothing from elsewhere and names no other product",
  async (path) => {
    const gateway = await startKeyedGateway("http://127.0.0.1:9/api/v1");
    const { page, problems, foreignUrls } = await open(gateway, path);
    expect(await page.title()).toBe("Sluice API reference");
    const text = (await page.locator("body").innerText()).replaceAll("\u200b", "");
    for (const part of [
      "/openai/v1/chat/completions",
      "/admin/v1/keys/{key}/rotate",
      "Create a key",
      "Where to begin",
    ])
      expect(text).toContain(part);
    expect(text).not.toMatch(/swagger|smartbear/i);
    expect(
      await page
        .locator("img")
        .evaluateAll((images: Page[]) => images.map((image) => image.getAttribute("src"))),
    ).toEqual([expect.stringContaining("icon.svg")]);
    expect(problems).toEqual([]);
    expect(foreignUrls).toEqual([]);
  },
  90_000,
);

test("in a browser, a caller's and an admin's operation succeed as the page fills them in", async () => {
  const gateway = await startKeyedGateway((await startTestSimulator()).baseUrl);
  const { page, problems, foreignUrls } = await open(gateway);
  await authorize(page, "Caller key", gateway.caller);
  await authorize(page, "Admin key", gateway.admin);
  const chat = await execute(page, "post", "/openai/v1/chat/completions");
  expect(chat.status).toBe("200");
  expect(chat.body).toContain("chat.completion");
  const created = await execute(page, "post", "/admin/v1/keys");
  expect(created.status).toBe("201");
  expect(created.body).toContain("secret");
  expect((await gateway.callAdmin("GET", "/keys/bob")).body).toMatchObject({
    models: ["google/*", "*:free"],
  });
  // The keys are neither in the browser's storage nor in the URL.
  const stored = await page.evaluate(
    "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, location.href])",
  );
  for (const secret of [gateway.caller, gateway.admin]) expect(stored).not.toContain(secret);
  expect(problems).toEqual([]);
  expect(foreignUrls).toEqual([]);
}, 90_000);

test("in a browser, the dialog of the page has one entry per kind of key", async () => {
  const { page } = await open(await startKeyedGateway("http://127.0.0.1:9/api/v1"));
  await page.locator(".scheme-container .btn.authorize").click();
  await page.locator(".auth-container").first().waitFor();
  expect(await page.locator(".auth-container h4").allInnerTexts()).toEqual([
    expect.stringContaining("Caller key"),
    expect.stringContaining("Admin key"),
  ]);
});

test("in a narrow browser, the page does not scroll sideways, even with an open operation", async () => {
  const { page } = await open(await startKeyedGateway("http://127.0.0.1:9/api/v1"), "/docs", 360);
  await page.locator('.opblock [data-path="/admin/v1/keys"]').first().click();
  await page.getByRole("button", { name: "Try it out" }).waitFor();
  expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBeLessThanOrEqual(0);
});
