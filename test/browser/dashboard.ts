import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Locator, Page } from "playwright-core";
import { HANG_MS, openWatchedPage, type WatchedPage } from "./watched-page.ts";
import { readModelFacts } from "../../src/demo/model-facts.ts";
import { writeHistory } from "../../src/demo/write-history.ts";
import { type KeyedGateway, startKeyedGateway } from "../support/keyed-gateway.ts";
import { startTestSimulator } from "../support/simulator.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait.ts";

/** The pages of the dashboard. */
export const SECTIONS = ["Overview", "Requests", "Keys", "Models", "Health"] as const;
export type Section = (typeof SECTIONS)[number];

/** Everything that a test needs to open the dashboard of a gateway. */
interface DashboardAddress {
  readonly origin: string;
  /** The secret of an admin key. */
  readonly admin: string;
}

/** A gateway in front of a simulator. */
export interface DashboardGateway extends KeyedGateway, DashboardAddress {}

/** Starts a gateway with SQLite in front of a simulator. Both stop when the test ends. @param env additional settings. */
export async function startDashboardGateway(env: Record<string, string> = {}): Promise<DashboardGateway> {
  const simulator = await startTestSimulator();
  const gateway = await startKeyedGateway(simulator.baseUrl, env);
  return { ...gateway, origin: `http://127.0.0.1:${gateway.port}` };
}

/** Starts a gateway with the demo's week of requests. It stops when the test ends. */
export async function startDemoGateway(): Promise<DashboardAddress> {
  const simulator = await startTestSimulator();
  const dataDir = createTemporaryDirectory();
  const keys = await writeHistory(dataDir, await readModelFacts(simulator.baseUrl), Date.now());
  const { port } = await startKeyedGateway(simulator.baseUrl, { DATA_DIR: dataDir });
  return { origin: `http://127.0.0.1:${port}`, admin: keys.adminSecret };
}

/** The dashboard in a browser: its navigation and its form to sign in. */
export class Dashboard {
  readonly page: Page;
  readonly watched: WatchedPage;
  readonly #gateway: DashboardAddress;

  constructor(gateway: DashboardAddress, watched: WatchedPage) {
    this.#gateway = gateway;
    this.watched = watched;
    this.page = watched.page;
  }

  /** Opens a path below `/dashboard`. */
  async open(path = ""): Promise<void> {
    await this.page.goto(`${this.#gateway.origin}/dashboard${path}`);
  }

  /** Submits the form to sign in. */
  async submitKey(secret: string): Promise<void> {
    await this.page.getByLabel("Admin key").fill(secret);
    await this.page.getByRole("button", { name: "Sign in" }).click();
  }

  /** Opens a path and signs in with the gateway's admin key. */
  async signIn(path = ""): Promise<void> {
    await this.open(path);
    await this.submitKey(this.#gateway.admin);
    await this.page.getByRole("button", { name: "Sign out" }).waitFor();
  }

  /** Opens a page with its link in the navigation, and waits for its title. */
  async goTo(section: Section): Promise<void> {
    await this.page
      .getByRole("navigation", { name: "Pages" })
      .getByRole("link", { name: section, exact: true })
      .click();
    await this.page.getByRole("heading", { level: 1, name: section }).waitFor();
  }

  /** Waits until no request of the page is in flight, nothing is shown as loading, and the result is drawn. */
  async waitUntilLoaded(): Promise<void> {
    await this.page.locator("h1").first().waitFor();
    await waitUntil(
      async () => this.watched.countInFlight() === 0 && (await this.page.evaluate(drawIfLoaded)),
      `the end of loading of ${this.page.url()}`,
      HANG_MS,
    );
  }

  /** Opens a page by its path, without loading the document again, and waits until it is loaded. @param path such as `/keys`. */
  async visit(path: string): Promise<void> {
    await this.page.evaluate((url) => history.pushState(null, "", url), `/dashboard${path}`);
    await this.waitUntilLoaded();
  }

  /** Saves the file that a click downloads. @returns its text. */
  async download(click: Locator): Promise<string> {
    const download = this.page.waitForEvent("download");
    await click.click();
    return readFileSync(await (await download).path(), "utf8");
  }
}

/** Opens the dashboard of a gateway in a fresh profile. */
export async function openDashboard(
  gateway: DashboardAddress,
  options?: Parameters<typeof openWatchedPage>[1],
): Promise<Dashboard> {
  return new Dashboard(gateway, await openWatchedPage(gateway.origin, options));
}

/** Runs in the page. @returns whether nothing is shown as loading, after the browser has drawn the page. */
async function drawIfLoaded(): Promise<boolean> {
  await new Promise((resolve) => void requestAnimationFrame(() => requestAnimationFrame(resolve)));
  return document.querySelector('[aria-busy="true"]') === null;
}

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface AxeResult {
  readonly id: string;
  readonly nodes: readonly { readonly target: readonly string[]; readonly failureSummary?: string }[];
}

interface Axe {
  run(options: object): Promise<{ violations: AxeResult[] }>;
}

/** Finds violations of accessibility rules in the current state of a page. @param state names the state in the results. */
export async function findViolations(page: Page, state: string): Promise<string[]> {
  if (await page.evaluate(() => !("axe" in globalThis))) await page.evaluate(AXE);
  const violations = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: Axe };
    return (await axe.run({ resultTypes: ["violations"], preload: false })).violations;
  });
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${state}: ${id} ${target.join(" ")} ${failureSummary ?? ""}`),
  );
}

/** Finds the elements that make a page or its open dialog wider than the window. @param state names the state in the results. */
export async function findOverflow(page: Page, state: string): Promise<string[]> {
  return page.evaluate((name) => {
    const scrolled = [document.documentElement, ...document.querySelectorAll("dialog[open]")];
    return scrolled
      .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
      .map(({ tagName, scrollWidth, clientWidth }) => `${name}: ${tagName} ${scrollWidth} > ${clientWidth}`);
  }, state);
}
