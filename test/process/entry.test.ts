import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { sendRequest } from "../support/send-request.ts";
import { ACCOUNT_KEY, CALLER_KEY } from "../support/gateway.ts";
import { DONE, EVENT, startHeldUpstream, openStream } from "../support/held-upstream.ts";
import { waitForPort, runNode, type TestProcess } from "../support/run-node.ts";
import { waitUntil } from "../support/wait.ts";

const MAIN = new URL("../../src/main.ts", import.meta.url).href;
const SERVER = new URL("../../src/server.ts", import.meta.url).href;

/** Runs a text as an ES module. */
const runText = (text: string, env: Record<string, string> = {}): TestProcess =>
  runNode("--input-type=module", env, ["-e", text]);

const settings = (baseUrl: string) => ({
  PORT: "0",
  OPENROUTER_API_KEY: ACCOUNT_KEY,
  GATEWAY_API_KEYS: `team:${CALLER_KEY}`,
  OPENROUTER_BASE_URL: baseUrl,
});

test("the gateway reads its secrets, and then removes their variables from the environment", async () => {
  const { upstream } = await startHeldUpstream();
  const server = runText(
    `const { runGateway } = await import("${MAIN}"); await runGateway(process.env, {}); console.log("LEFT", Object.keys(process.env).join());`,
    settings(upstream.baseUrl),
  );
  const port = await waitForPort(server);
  const remaining = (await waitUntil(() => /LEFT (.*)/.exec(server.stdout()), "the remaining names"))[1];
  expect(remaining).toContain("OPENROUTER_BASE_URL");
  expect(remaining).not.toMatch(/OPENROUTER_API_KEY|GATEWAY_API_KEYS/);
  expect((await sendRequest(port)).status).toBe(200);
});

test("the gateway reads .env in the working directory, but variables of the environment take precedence", async () => {
  const { upstream } = await startHeldUpstream();
  const folder = mkdtempSync(join(tmpdir(), "sluice-env-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const written = Object.entries({
    ...settings(upstream.baseUrl),
    OPENROUTER_BASE_URL: "http://127.0.0.1:9/wrong",
  });
  writeFileSync(join(folder, ".env"), written.map(([name, value]) => `${name}=${value}\n`).join(""));
  const server = runText(`process.chdir("${folder}"); await import("${SERVER}");`, {
    OPENROUTER_BASE_URL: upstream.baseUrl,
  });
  expect((await sendRequest(await waitForPort(server))).status).toBe(200);
  expect(upstream.seen[0]?.headers["authorization"]).toBe(`Bearer ${ACCOUNT_KEY}`);
});

test("the gateway treats two SIGINTs in quick succession as one, because Ctrl-C sends a SIGINT to the gateway and npm forwards another", async () => {
  const { upstream, finish } = await startHeldUpstream();
  const server = runNode("src/server.ts", settings(upstream.baseUrl));
  const stream = await openStream(await waitForPort(server));
  server.child.kill("SIGINT");
  // The second signal is late, because the kernel merges two signals that arrive at the same moment.
  setTimeout(() => server.child.kill("SIGINT"), 30);
  await waitUntil(() => server.stdout().includes('"server: shutting down"'), "the shutdown to begin");
  finish();
  expect((await stream.waitForResponse("the stream")).body.toString()).toBe(EVENT + DONE);
  expect(await server.waitForExit("the interrupted server")).toBe(0);
});

test("the gateway logs an uncaught error, lets streams finish, and exits with 1", async () => {
  const { upstream, finish } = await startHeldUpstream();
  const server = runText(
    `await import("${SERVER}"); process.on("SIGUSR2", () => { throw new Error("a bug of ours"); });`,
    settings(upstream.baseUrl),
  );
  const stream = await openStream(await waitForPort(server));
  server.child.kill("SIGUSR2");
  await waitUntil(() => server.stdout().includes("a bug of ours"), "the error in the log");
  finish();
  expect((await stream.waitForResponse("the stream")).body.toString()).toBe(EVENT + DONE);
  expect(await server.waitForExit("the crashed server")).toBe(1);
});
