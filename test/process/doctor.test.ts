import { execFileSync, spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { startSimulator } from "../../tools/simulator/simulator.ts";
import type { Finding } from "../../src/doctor/finding.ts";
import { CALLER_KEY, startTestGateway } from "../support/gateway.ts";
import { runNode } from "../support/run-node.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";

const EXIT_MS = 40_000;

async function startUpstream() {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  return simulator;
}

async function doctor(env: Record<string, string>, ...args: string[]) {
  const run = runNode("src/server.ts", env, ["--cli", "doctor", ...args]);
  const code = await run.waitForExit("doctor", EXIT_MS);
  return { code, stdout: run.stdout(), stderr: run.stderr() };
}

test(
  "prints one JSON object and exits with 0 if nothing has failed, without creating anything",
  async () => {
    const { baseUrl } = await startUpstream();
    const directory = createTemporaryDirectory();
    const env = { OPENROUTER_API_KEY: "sk-or-secret", OPENROUTER_BASE_URL: baseUrl, DATA_DIR: directory };
    const { code, stdout, stderr } = await doctor(env, "--json");
    const report = JSON.parse(stdout) as { status: string; counts: object; findings: Finding[] };
    expect([code, stderr]).toEqual([0, ""]);
    expect(report).toMatchObject({ status: "warning", counts: { failed: 0 } });
    expect([...new Set(report.findings.map(({ check }) => check))]).toEqual([
      "configuration",
      "node",
      "settings",
      "gateway",
      "descriptors",
      "memory",
      "data directory",
      "journals",
      "database",
      "redis",
      "upstream",
    ]);
    expect(readdirSync(directory)).toEqual([]);
  },
  EXIT_MS,
);

test(
  "prints a line per finding and its remedy, and exits with 1 if one has failed",
  async () => {
    const env = {
      OPENROUTER_API_KEY: "sk-or-secret",
      DATA_DIR: "/dev/null",
      PORT: "x",
      SLUICE_KEY: "sk-secret",
    };
    const { code, stdout, stderr } = await doctor(
      { ...env, OPENROUTER_BASE_URL: "http://127.0.0.1:1/api/v1", UPSTREAM_CONNECT_TIMEOUT_MS: "100" },
      "--url",
      "http://127.0.0.1:1/openai/v1",
      "--idle",
      "1s",
    );
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^FAILED  configuration +PORT must be a whole number from 0 to 65535\.\n +Remedy: Correct/m,
    );
    expect(stdout).toMatch(/^FAILED  data directory +\/dev\/null \(DATA_DIR\) is not a directory/m);
    expect(stdout).toMatch(/^FAILED  upstream +http:\/\/127\.0\.0\.1:1\/api\/v1 cannot be reached/m);
    expect(stdout).toMatch(/^FAILED  public url +The public URL cannot be reached/m);
    expect(stdout).toMatch(/\n\d+ ok, \d+ warning, \d+ failed, \d+ skipped\n$/);
    expect(stdout + stderr).not.toMatch(/secret|\n\s+at /);
    expect(stderr).toBe("doctor: the check of --url takes about 6 s\n");
  },
  EXIT_MS,
);

test(
  "checks a running gateway by its URL with the key of SLUICE_KEY",
  async () => {
    const { baseUrl } = await startUpstream();
    const gateway = await startTestGateway(baseUrl);
    const { code, stdout } = await doctor(
      {
        OPENROUTER_API_KEY: "sk-or-secret",
        GATEWAY_API_KEYS: `team:${CALLER_KEY}`,
        OPENROUTER_BASE_URL: baseUrl,
        PORT: String(gateway.port),
        SLUICE_KEY: CALLER_KEY,
      },
      "--json",
      "--url",
      `${gateway.url}/openai/v1`,
      "--idle",
      "1s",
    );
    const { findings } = JSON.parse(stdout) as { findings: Finding[] };
    const ofUrl = findings.filter(({ check }) => check === "public url");
    expect(ofUrl.map(({ status }) => status)).toEqual(Array(6).fill("ok"));
    expect(code).toBe(0);
    expect(stdout).not.toContain(CALLER_KEY);
  },
  EXIT_MS,
);

test(
  "finds a low limit of open files",
  async () => {
    const command = `ulimit -n 256; exec "${process.execPath}" src/server.ts --cli doctor --json`;
    const child = spawn("sh", ["-c", command], {
      env: {
        OPENROUTER_API_KEY: "sk-or-x",
        OPENROUTER_BASE_URL: "http://127.0.0.1:1/api/v1",
        MAX_CONNECTIONS: "1000",
      },
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    let stdout = "";
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    const code = await new Promise((resolve) => void child.on("close", resolve));
    const { findings } = JSON.parse(stdout) as { findings: Finding[] };
    expect(findings.find(({ check }) => check === "descriptors")).toMatchObject({
      status: "failed",
      finding: expect.stringMatching(
        /may open 256 files .* enough for 96 connections, and MAX_CONNECTIONS is 1000/,
      ),
      remedy: expect.stringContaining("LimitNOFILE=20064"),
    });
    expect(code).toBe(1);
  },
  EXIT_MS,
);

test("a frozen disk fails within the deadline, and the other checks still run", async () => {
  const directory = createTemporaryDirectory();
  // Opening a pipe that nobody writes to blocks, like every call to a frozen disk.
  execFileSync("mkfifo", [join(directory, "sluice.db")]);
  const env = { OPENROUTER_API_KEY: "sk-or-secret", DATA_DIR: directory, UPSTREAM_CONNECT_TIMEOUT_MS: "100" };
  const upstream = { OPENROUTER_BASE_URL: "http://127.0.0.1:1/api/v1" };
  const { code, stdout } = await doctor({ ...env, ...upstream }, "--json");
  const { findings } = JSON.parse(stdout) as { findings: Finding[] };
  const find = (name: string) => findings.filter(({ check }) => check === name);
  expect(find("database")).toEqual([
    expect.objectContaining({ status: "failed", finding: "The check did not end within 20 s." }),
  ]);
  expect(find("upstream")[0]?.finding).toContain("ECONNREFUSED");
  expect(code).toBe(1);
}, 90_000);
