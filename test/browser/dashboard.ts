import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { openWatchedPage, type WatchedPage } from "./watched-page.ts";
import { type KeyedGateway, startKeyedGateway } from "../support/keyed-gateway.ts";
import { startTestSimulator } from "../support/simulator.ts";

/** The pages of the dashboard. */
export const SECTIONS = ["Overview", "Requests", "Keys", "Models", "Health"] as const;
export type Section = (typeof SECTIONS)[number];

/** A gateway in front of a simulator. */
export interface DashboardGateway extends KeyedGateway {
  readonly origin: string;
}

/** Starts a gateway with SQLite in front of a simulator. Both stop when the test ends. @param env additional settings. */
export async function startDashboardGateway(env: Record<string, string> = {}): Promise<DashboardGateway> {
  const simulator = await startTestSimulator();
  const gateway = await startKeyedGateway(simulator.baseUrl, env);
  return { ...gateway, origin: `http://127.0.0.1:${gateway.port}` };
}

/** The dashboard in a browser: its navigation and its form to sign in. */
export class Dashboard {
  readonly page: Page;
  readonly watched: WatchedPage;
  readonly #gateway: DashboardGateway;

  constructor(gateway: DashboardGateway, watched: WatchedPage) {
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

  /** Waits until no request of the page is in flight and nothing is shown as loading. */
  async waitUntilLoaded(): Promise<void> {
    await this.page.waitForLoadState("networkidle");
    await this.page.waitForFunction(() => document.querySelector('[aria-busy="true"]') === null);
  }
}

/** Opens the dashboard of a gateway in a fresh profile. */
export async function openDashboard(
  gateway: DashboardGateway,
  options?: Parameters<typeof openWatchedPage>[1],
): Promise<Dashboard> {
  return new Dashboard(gateway, await openWatchedPage(gateway.origin, options));
}

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface AxeResult {
  readonly id: string;
  readonly nodes: readonly { readonly target: readonly string[]; readonly failureSummary?: string }[];
}

/** Finds violations of accessibility rules in the current state of a page. @param state names the state in the results. */
export async function findViolations(page: Page, state: string): Promise<string[]> {
  await page.evaluate(AXE);
  const violations = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run: () => Promise<{ violations: AxeResult[] }> } };
    return (await axe.run()).violations;
  });
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${state}: ${id} ${target.join(" ")} ${failureSummary ?? ""}`),
  );
}

/** Whether the content of a page is wider than its window. */
export async function overflows(page: Page): Promise<boolean> {
  return page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
}
