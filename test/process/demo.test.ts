import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { runNode } from "../support/run-node.ts";
import { waitUntil } from "../support/wait.ts";

/** The demo writes its history first, which takes a second of CPU time. */
const START_DEADLINE_MS = 30_000;

/** @returns the command from `curl` to the end of its paragraph. */
function curlCommand(text: string): string {
  return /curl -N [\s\S]*?(?=\n\n|\n```)/.exec(text)?.[0] ?? "";
}

/** Runs a curl command. If curl is not installed, sends the request of the command with fetch. */
async function runCurl(command: string): Promise<string> {
  const { stdout, error } = spawnSync("curl", ["--version"], { encoding: "utf8" });
  if (!error && stdout) return spawnSync("sh", ["-c", command], { encoding: "utf8", timeout: 20_000 }).stdout;
  process.stderr.write(
    "\ncurl is not installed, so the test sends the request of the command with fetch.\n\n",
  );
  const headers = [...command.matchAll(/-H "([^:]+): ([^"]+)"/g)].map(
    ([, name = "", value = ""]): [string, string] => [name, value],
  );
  const url = /http\S+/.exec(command)?.[0] ?? "";
  const response = await fetch(url, {
    method: "POST",
    headers,
    body: /-d '([^']+)'/.exec(command)?.[1] ?? "",
  });
  return response.text();
}

/** @returns the usage report of a demo's ledger. */
function readUsage(dataDir: string): string {
  return spawnSync(process.execPath, ["src/server.ts", "--cli", "usage", "--by", "model"], {
    env: { DATA_DIR: dataDir },
    encoding: "utf8",
    timeout: 20_000,
  }).stdout;
}

test("the demo serves the curl commands of its output and of the README, allows web pages on localhost, and deletes its ledger on exit", async () => {
  const demo = runNode("src/server.ts", { PORT: "0" }, ["--demo"]);
  await waitUntil(() => demo.stdout().includes("Ctrl-C"), "the demo to be ready", START_DEADLINE_MS);
  const base = /http:\/\/127\.0\.0\.1:\d+/.exec(demo.stdout())?.[0] ?? "";
  const readme = readFileSync("README.md", "utf8").replace(/http:\/\/(localhost|127\.0\.0\.1):8080/g, base);
  for (const text of [demo.stdout(), readme]) {
    const command = curlCommand(text);
    expect(command).toContain(base);
    const output = await runCurl(command);
    expect(output).toMatch(/^: OPENROUTER PROCESSING\n\n/);
    expect(output.endsWith("data: [DONE]\n\n")).toBe(true);
  }
  const preflight = { origin: "http://localhost:5173", "access-control-request-method": "POST" };
  const page = await fetch(`${base}/openai/v1/chat/completions`, { method: "OPTIONS", headers: preflight });
  expect(page.headers.get("access-control-allow-origin")).toBe("http://localhost:5173");
  const [dataDir = ""] = /(?<=DATA_DIR=)\S+/.exec(demo.stdout()) ?? [];
  await waitUntil(() => readUsage(dataDir).includes("openai/gpt-4o-mini"), "the model in the demo's ledger");
  demo.child.kill("SIGINT");
  expect(await demo.waitForExit("the demo")).toBe(0);
  expect(existsSync(dataDir)).toBe(false);
}, 90_000);

test("the demo prints an admin key, shows requests of its applications within seconds, and ends while they are in flight", async () => {
  const demo = runNode("src/server.ts", { PORT: "0" }, ["--demo"]);
  await waitUntil(() => demo.stdout().includes("Ctrl-C"), "the demo to be ready", START_DEADLINE_MS);
  const base = /http:\/\/127\.0\.0\.1:\d+/.exec(demo.stdout())?.[0] ?? "";
  expect(demo.stdout()).toContain(`${base}/dashboard`);
  const [secret = ""] = /sk-slc-\w+/.exec(demo.stdout()) ?? [];
  const from = new Date().toISOString();
  const readKeys = async (): Promise<Set<string>> => {
    const response = await fetch(`${base}/admin/v1/requests?from=${from}`, {
      headers: { authorization: `Bearer ${secret}` },
    });
    expect(response.status).toBe(200);
    const { data } = (await response.json()) as { data: { key_name: string; session: string }[] };
    return new Set(data.map(({ key_name }) => key_name));
  };
  await waitUntil(async () => (await readKeys()).size >= 2, "requests of two keys", START_DEADLINE_MS);
  expect(demo.stderr()).toBe("");
  demo.child.kill("SIGTERM");
  expect(await demo.waitForExit("the demo")).toBe(0);
}, 90_000);

test("the demo ends on Ctrl-C although a stream does not end", async () => {
  const demo = runNode("src/server.ts", { PORT: "0" }, ["--demo"]);
  await waitUntil(() => demo.stdout().includes("Ctrl-C"), "the demo to be ready", START_DEADLINE_MS);
  const base = /http:\/\/127\.0\.0\.1:\d+/.exec(demo.stdout())?.[0] ?? "";
  const response = await fetch(`${base}/openai/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      model: "sim/stall",
      stream: true,
      messages: [{ role: "user", content: "Hello" }],
    }),
  });
  expect(response.status).toBe(200);
  demo.child.kill("SIGINT");
  expect(await demo.waitForExit("the demo")).toBe(0);
}, 90_000);
