import { execFile, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { onTestFinished } from "vitest";
import { stringify } from "yaml";
import { findFreePort } from "./ports.ts";
import { createTemporaryDirectory } from "./temporary-directory.ts";
import { waitUntil } from "./wait.ts";

/** One series of the result of a query, with its newest value. */
export interface QueryResult {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

/** An alert that Prometheus has raised. */
export interface RaisedAlert {
  readonly name: string;
  readonly state: "pending" | "firing";
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** A target as Prometheus sees it after relabeling. */
export interface Target {
  readonly labels: Readonly<Record<string, string>>;
  readonly scrapeUrl: string;
}

/** A running Prometheus. */
export interface Prometheus {
  /** Evaluates an expression now. @throws the message of Prometheus, if the expression is invalid. */
  query(expression: string): Promise<readonly QueryResult[]>;
  listAlerts(): Promise<readonly RaisedAlert[]>;
  /** Returns the rules whose last evaluation failed, with the error. */
  listFailedRules(): Promise<readonly string[]>;
  listTargets(): Promise<readonly Target[]>;
  /** Waits until an expression has a value. */
  waitForResult(expression: string, label: string, deadlineMs?: number): Promise<readonly QueryResult[]>;
  /** Waits for an alert to be pending or firing. */
  waitForAlert(name: string, deadlineMs?: number): Promise<RaisedAlert>;
}

/**
 * Starts the installed Prometheus (Debian: prometheus) with the rules of `deploy/prometheus`. It stops when the test ends.
 * @param scrapeConfigs as in the file of its configuration.
 */
export async function startPrometheus(scrapeConfigs: readonly object[]): Promise<Prometheus> {
  const directory = createTemporaryDirectory();
  const file = join(directory, "prometheus.yaml");
  const port = await findFreePort();
  const config = {
    global: { scrape_interval: "500ms", scrape_timeout: "500ms", evaluation_interval: "500ms" },
    rule_files: [resolve("deploy/prometheus/rules.yaml")],
    scrape_configs: scrapeConfigs,
  };
  writeFileSync(file, stringify(config));
  const child = spawn(
    "prometheus",
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(directory, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--log.level=warn",
    ],
    { stdio: "ignore" },
  );
  onTestFinished(() => void child.kill("SIGKILL"));
  const base = `http://127.0.0.1:${port}`;
  const probe = async (): Promise<boolean> =>
    fetch(`${base}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  await waitUntil(probe, "Prometheus (Debian: apt-get install prometheus) to be ready", 20_000);
  return connectTo(base);
}

/** Waits between two requests, so that a test that polls leaves the processor to Prometheus. */
async function pace<T>(request: Promise<T>): Promise<T> {
  const [result] = await Promise.all([request, sleep(100)]);
  return result;
}

/** Creates the functions that use the HTTP API of a Prometheus. */
function connectTo(base: string): Prometheus {
  const get = async <T>(path: string): Promise<T> => {
    const response = await fetch(`${base}/api/v1/${path}`, { signal: AbortSignal.timeout(10_000) });
    const { data, error } = (await response.json()) as { data: T; error?: string };
    if (error !== undefined) throw new Error(error);
    return data;
  };
  const query = async (expression: string): Promise<readonly QueryResult[]> => {
    const { result } = await get<{ result: { metric: QueryResult["metric"]; value: [number, string] }[] }>(
      `query?query=${encodeURIComponent(expression)}`,
    );
    return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  };
  const listAlerts = async (): Promise<readonly RaisedAlert[]> => {
    const { alerts } = await get<{ alerts: Omit<RaisedAlert, "name">[] }>("alerts");
    return alerts.map((alert) => ({ ...alert, name: alert.labels["alertname"] ?? "" }));
  };
  return {
    query,
    listAlerts,
    async listFailedRules() {
      const { groups } = await get<{
        groups: { rules: { name: string; health: string; lastError?: string }[] }[];
      }>("rules");
      return groups
        .flatMap(({ rules }) => rules)
        .filter(({ health }) => health !== "ok")
        .map(({ name, health, lastError = health }) => `${name}: ${lastError}`);
    },
    async listTargets() {
      return (await get<{ activeTargets: Target[] }>("targets")).activeTargets;
    },
    waitForResult: async (expression, label, deadlineMs = 20_000) =>
      waitUntil(
        async () => {
          const result = await pace(query(expression));
          return result.length > 0 ? result : undefined;
        },
        label,
        deadlineMs,
      ),
    waitForAlert: async (name, deadlineMs = 20_000) =>
      waitUntil(
        async () => (await pace(listAlerts())).find((alert) => alert.name === name),
        name,
        deadlineMs,
      ),
  };
}

/** Runs `promtool` of the same package. @returns its output. @throws if it exits with another code than 0. */
export async function runPromtool(args: readonly string[], input = ""): Promise<string> {
  const running = promisify(execFile)("promtool", args, { timeout: 60_000 });
  running.child.stdin?.end(input);
  const { stdout, stderr } = await running;
  return stdout + stderr;
}
