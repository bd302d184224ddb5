import { execFileSync } from "node:child_process";
import { globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { RequestRow } from "../../src/metering/record.ts";
import type { SeenRequest } from "../../tools/simulator/state.ts";
import type { Simulator } from "../../tools/simulator/simulator.ts";
import { type KeyedGateway, startKeyedGateway } from "../support/keyed-gateway.ts";
import { readRows } from "../support/metered-gateway.ts";
import { startTestSimulator } from "../support/simulator.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait.ts";
import type { Application } from "./application.ts";
import { type RefusingProxy, startRefusingProxy } from "./refusing-proxy.ts";
import { type RunningApplication, startApplication } from "./run-application.ts";

/** A request as the gateway logged it. */
interface LoggedRequest {
  readonly method: string;
  readonly route: string;
  readonly status: number;
}

/** A gateway in front of a simulator, and a directory in which one application runs. */
export interface Stage {
  readonly simulator: Simulator;
  readonly gateway: KeyedGateway;
  /** Proxy through which the application would reach other hosts. */
  readonly proxy: RefusingProxy;
  /** Starts the application. @param key by default a key of the gateway. @param model by default the application's. */
  start(options?: { key?: string; model?: string }): RunningApplication;
  /** Returns the requests to the gateway that have ended. */
  listLogged(method: string): LoggedRequest[];
  /** Returns the POST requests that reached upstream. */
  listUpstreamPosts(): SeenRequest[];
  /** Waits until every upstream request has a settled row. @returns the rows. */
  waitForSettledRows(): Promise<RequestRow[]>;
  /** Returns the body of the last upstream request, which has the results of tools, and the file that aider edits. */
  readEvidence(): string;
}

/** Starts a simulator and a gateway, and creates a home directory and a git repository with the file `notes.txt`. */
export async function createStage(application: Application): Promise<Stage> {
  const simulator = await startTestSimulator();
  const gateway = await startKeyedGateway(simulator.baseUrl);
  const proxy = await startRefusingProxy();
  const [home, workspace] = createDirectories();
  const listUpstreamPosts = (): SeenRequest[] => simulator.seen.filter(({ method }) => method === "POST");
  return {
    simulator,
    gateway,
    proxy,
    start({ key = gateway.caller, model = application.model } = {}) {
      const gatewayUrl = `http://127.0.0.1:${gateway.port}`;
      const { args, env } = application.configure({ gatewayUrl, key, model: `openrouter/${model}`, home });
      return startApplication({
        command: [findProgram(application), ...args],
        env: { ...createEnvironment(home, proxy.url), ...env },
        cwd: workspace,
      });
    },
    listLogged: (method) => readLoggedRequests(gateway).filter((request) => request.method === method),
    listUpstreamPosts,
    waitForSettledRows: () =>
      waitUntil(async () => {
        const rows = await readRows(gateway);
        const isSettled = rows.every(({ state }) => state === "settled");
        return isSettled && rows.length === listUpstreamPosts().length ? rows : undefined;
      }, "a settled row for each upstream request"),
    readEvidence() {
      const body = listUpstreamPosts().at(-1)?.body.toString();
      return `${body}\nnotes.txt: ${readFileSync(join(workspace, "notes.txt"), "utf8")}`;
    },
  };
}

function createDirectories(): [home: string, workspace: string] {
  const root = createTemporaryDirectory();
  const home = join(root, "home");
  const workspace = join(root, "workspace");
  mkdirSync(home);
  mkdirSync(workspace);
  writeFileSync(join(workspace, "notes.txt"), "one\n");
  runGit(workspace, "init", "--quiet");
  runGit(workspace, "config", "user.name", "Sluice");
  runGit(workspace, "config", "user.email", "sluice@example.com");
  runGit(workspace, "add", ".");
  runGit(workspace, "commit", "--quiet", "--message", "Start");
  return [home, workspace];
}

function runGit(directory: string, ...args: string[]): void {
  execFileSync("git", args, { cwd: directory });
}

/** @throws if the application is not installed. */
function findProgram({ name, program }: Application): string {
  const [path] = globSync(`tools/clients/${program}`);
  if (path === undefined) throw new Error(`${name} is not installed: run npm run clients:install`);
  return resolve(path);
}

/** Returns an environment without any variable of this process except PATH, so that no other account or setting is used. */
function createEnvironment(home: string, proxyUrl: string): Record<string, string> {
  const proxies = ["http_proxy", "https_proxy", "all_proxy"].flatMap((name) => [
    [name, proxyUrl],
    [name.toUpperCase(), proxyUrl],
  ]);
  const direct = "127.0.0.1,localhost";
  return {
    PATH: process.env["PATH"] ?? "",
    HOME: home,
    LANG: "C.UTF-8",
    ...Object.fromEntries(proxies),
    no_proxy: direct,
    NO_PROXY: direct,
  };
}

function readLoggedRequests(gateway: KeyedGateway): LoggedRequest[] {
  const lines = gateway.readLog().split("\n").filter(Boolean);
  const records = lines.map((line) => JSON.parse(line) as LoggedRequest & { readonly msg: string });
  return records.filter(({ msg }) => msg === "request");
}
