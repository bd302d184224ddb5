import { type Browser, type BrowserContext, chromium, type Page, type Request } from "playwright-core";
import { afterAll, expect, onTestFinished } from "vitest";

const EXECUTABLE = "/usr/bin/chromium";
/** A wait that is longer than this is a hang. It says nothing about speed: Chromium is slow on a machine that others use. */
export const HANG_MS = 60_000;

/** A page in Chromium. Its test fails if the page causes a problem that the test does not expect. */
export interface WatchedPage {
  readonly page: Page;
  readonly context: BrowserContext;
  /** URLs of all requests so far. */
  readonly urls: readonly string[];
  /** Number of requests in flight. */
  countInFlight(): number;
  /**
   * Allows a response with an error status.
   * @param failure matches method, path and status, such as `POST /admin/v1/session 401`.
   */
  expectFailure(failure: string | RegExp): void;
}

interface PageOptions {
  readonly colorScheme?: "light" | "dark";
  readonly width?: number;
  readonly height?: number;
}

let browser: Promise<Browser> | undefined;

afterAll(async () => {
  await (await browser)?.close();
  browser = undefined;
});

/**
 * Opens a page in a fresh profile, which is closed when the test ends. The test fails if the page logs an error, throws, violates
 * its content security policy, sends a request to another origin, or gets an error response that the test does not expect.
 * Requests to other origins are blocked, as on a machine without internet.
 * @param origin of the gateway, such as `http://127.0.0.1:8080`.
 */
export async function openWatchedPage(origin: string, options: PageOptions = {}): Promise<WatchedPage> {
  const { colorScheme = "light", width = 1_280, height = 900 } = options;
  browser ??= chromium.launch({ executablePath: EXECUTABLE, args: ["--no-sandbox"] });
  const context = await (
    await browser
  ).newContext({
    baseURL: origin,
    colorScheme,
    viewport: { width, height },
    timezoneId: "Europe/Berlin",
    locale: "en-GB",
    reducedMotion: "reduce",
    permissions: ["clipboard-read", "clipboard-write"],
  });
  context.setDefaultTimeout(HANG_MS);
  const problems: string[] = [];
  const urls: string[] = [];
  const expected: (string | RegExp)[] = [];
  const inFlight = new Set<Request>();
  onTestFinished(async () => {
    await context.close();
    expect(problems).toEqual([]);
  });
  await context.route(
    (url) => url.origin !== origin,
    (route) => route.abort(),
  );
  await context.exposeFunction("reportViolation", (text: string) => problems.push(`CSP: ${text}`));
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
      const { reportViolation } = globalThis as unknown as { reportViolation: (text: string) => void };
      reportViolation(`${violatedDirective} ${blockedURI}`);
    });
  });
  const page = await context.newPage();
  page.on("pageerror", (error) => problems.push(`uncaught: ${error.message}`));
  page.on("console", (message) => {
    // The responses themselves are checked below.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
      problems.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    urls.push(request.url());
    inFlight.add(request);
    // The page saves CSV files from memory.
    const isFromMemory = request.url().startsWith(`blob:${origin}/`);
    if (!isFromMemory && new URL(request.url()).origin !== origin)
      problems.push(`other origin: ${request.url()}`);
  });
  page.on("response", (response) => {
    const failure = `${response.request().method()} ${new URL(response.url()).pathname} ${response.status()}`;
    const isExpected = expected.some((entry) =>
      typeof entry === "string" ? entry === failure : entry.test(failure),
    );
    if (response.status() >= 400 && !isExpected) problems.push(`response: ${failure}`);
  });
  page.on("requestfinished", (request) => inFlight.delete(request));
  page.on("requestfailed", (request) => {
    inFlight.delete(request);
    const reason = request.failure()?.errorText ?? "";
    // The page aborts requests whose results it no longer needs.
    if (reason !== "net::ERR_ABORTED") problems.push(`failed: ${request.url()} ${reason}`);
  });
  return {
    page,
    context,
    urls,
    countInFlight: () => inFlight.size,
    expectFailure: (failure) => void expected.push(failure),
  };
}
