import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { sendRequest } from "../support/send-request.ts";
import { ACCOUNT_KEY, CALLER_KEY } from "../support/gateway.ts";
import { DONE, EVENT, startHeldUpstream, openStream } from "../support/held-upstream.ts";
import { waitForPort, runNode } from "../support/run-node.ts";
import { RawClient } from "../support/raw-client.ts";
import type { ScriptedUpstream } from "../support/scripted-upstream.ts";
import { waitUntil } from "../support/wait.ts";

const SERVER = "src/server.ts";
const READY = { method: "GET", path: "/readyz", body: "" };

const env = (upstream: ScriptedUpstream, more: Record<string, string> = {}) => ({
  PORT: "0",
  OPENROUTER_API_KEY: ACCOUNT_KEY,
  GATEWAY_API_KEYS: `team:${CALLER_KEY}`,
  OPENROUTER_BASE_URL: upstream.baseUrl,
  ...more,
});

test("with an invalid configuration, the gateway exits with 78 and lists every mistake without values or a stack trace", async () => {
  const server = runNode(SERVER, {
    PORT: "80800",
    RATE_LIMIT_MAX: "-1",
    OPENROUTER_BASE_URL: "openrouter.ai",
    OPENROUTER_API_KEY: "sk-or-secret value",
    GATEWAY_API_KEYS: "nameless-secret",
    TRUST_PROXY: "true",
  });
  expect(await server.waitForExit("the misconfigured server")).toBe(78);
  for (const name of [
    "PORT",
    "RATE_LIMIT_MAX",
    "OPENROUTER_BASE_URL",
    "OPENROUTER_API_KEY",
    "GATEWAY_API_KEYS",
    "TRUST_PROXY",
  ]) {
    expect(server.stderr()).toMatch(new RegExp(`- ${name}\\b.* must `));
  }
  expect(server.stderr()).not.toMatch(/secret|80800|\n +at /);
});

test("a gateway without keys creates two keys, prints them once, does not log them, and rejects all other keys", async () => {
  const { upstream } = await startHeldUpstream();
  const directory = mkdtempSync(join(tmpdir(), "sluice-first-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const { GATEWAY_API_KEYS: _, ...keyless } = env(upstream, { DATA_DIR: directory, DRAIN_MS: "0" });
  const first = runNode(SERVER, keyless);
  const port = await waitForPort(first);
  const [caller = "", admin = ""] = first.stderr().match(/sk-slc-\w{49}/g) ?? [];
  const requestWith = (secret: string) =>
    sendRequest(port, { headers: { authorization: `Bearer ${secret}` } });
  expect((await requestWith(caller)).status).toBe(200);
  expect((await requestWith(admin)).status).toBe(403);
  expect((await requestWith("sk-slc-of-somebody-else")).status).toBe(401);
  first.child.kill("SIGTERM");
  expect(await first.waitForExit("the first start")).toBe(0);
  for (const secret of [caller, admin]) expect(first.stdout()).not.toContain(secret);

  const second = runNode(SERVER, keyless);
  const again = await waitForPort(second);
  expect((await sendRequest(again, { headers: { authorization: `Bearer ${caller}` } })).status).toBe(200);
  expect(second.stderr()).toBe("");
});

test("with an unusable data directory, the gateway exits with 1 and prints one line that names DATA_DIR", async () => {
  const server = runNode(SERVER, { OPENROUTER_API_KEY: ACCOUNT_KEY, DATA_DIR: "/dev/null/x", PORT: "0" });
  expect(await server.waitForExit("the gateway without a directory")).toBe(1);
  expect(server.stderr()).toMatch(/^sluice cannot start: .*DATA_DIR.*\n$/);
});

test("the gateway reuses the compiled code of an earlier start from the cache in node_modules", async () => {
  const { upstream } = await startHeldUpstream();
  const start = async (): Promise<string> => {
    const server = runNode(SERVER, env(upstream, { DRAIN_MS: "0", NODE_DEBUG_NATIVE: "COMPILE_CACHE" }));
    await waitForPort(server);
    server.child.kill("SIGTERM");
    expect(await server.waitForExit("the gateway")).toBe(0);
    return server.stderr();
  };
  await start();
  const found =
    /node_modules\/\.cache\/sluice\/.* for StrippedTypeScript .*\/src\/gateway\.ts\.\.\..* success/;
  expect(await start()).toMatch(found);
});

test("if its port is in use, the gateway exits with 1 and prints one line", async () => {
  const { upstream } = await startHeldUpstream();
  const server = runNode(SERVER, env(upstream, { PORT: String(upstream.port) }));
  expect(await server.waitForExit("the server without a port")).toBe(1);
  expect(server.stderr()).toMatch(/^sluice cannot start: .*EADDRINUSE.*\n$/);
});

test("after SIGTERM, the gateway fails readiness at once, serves requests, completes the running stream, and exits with 0", async () => {
  const { upstream, finish } = await startHeldUpstream();
  const server = runNode(SERVER, env(upstream, { DRAIN_MS: "2000" }));
  const port = await waitForPort(server);
  const stream = await openStream(port);
  server.child.kill("SIGTERM");
  await waitUntil(async () => (await sendRequest(port, READY)).status === 503, "readiness to fail");
  expect((await sendRequest(port, { body: "{}" })).headers["connection"]).toBe("close");
  await waitUntil(
    () =>
      new RawClient(port).waitForEnd("a new connection", 100).then(
        () => true,
        () => false,
      ),
    "the listener to close",
  );
  finish();
  expect((await stream.waitForResponse("the stream")).body.toString()).toBe(EVENT + DONE);
  expect(await server.waitForExit("the stopped server")).toBe(0);
  expect(server.stdout()).toMatch(/"outcome":"complete"/);
});

test("after SIGINT, the gateway exits without the shutdown delay", async () => {
  const { upstream } = await startHeldUpstream();
  const server = runNode(SERVER, env(upstream, { DRAIN_MS: "60000" }));
  await waitForPort(server);
  server.child.kill("SIGINT");
  expect(await server.waitForExit("the interrupted server")).toBe(0);
});

test("after a second signal, the gateway exits at once, even with a running stream", async () => {
  const { upstream } = await startHeldUpstream();
  const server = runNode(SERVER, env(upstream));
  await openStream(await waitForPort(server));
  server.child.kill("SIGTERM");
  await waitUntil(() => server.stdout().includes('"server: shutting down"'), "the shutdown to begin");
  server.child.kill("SIGTERM");
  expect(await server.waitForExit("the twice signalled server")).toBe(1);
});

test("the gateway exits at the end of the grace period, even with a running stream", async () => {
  const { upstream } = await startHeldUpstream();
  const server = runNode(SERVER, env(upstream, { DRAIN_MS: "0", SHUTDOWN_GRACE_MS: "300" }));
  const stream = await openStream(await waitForPort(server));
  server.child.kill("SIGTERM");
  expect(await server.waitForExit("the server with a long stream")).toBe(0);
  expect((await stream.waitForEnd("the long stream"))?.complete).toBe(false);
});

test("the gateway writes no secret of its configuration to its output", async () => {
  const { upstream, finish } = await startHeldUpstream();
  const server = runNode(SERVER, env(upstream, { LOG_LEVEL: "trace" }));
  const port = await waitForPort(server);
  await openStream(port);
  finish();
  await sendRequest(port, { headers: { authorization: "Bearer sk-mistyped-secret" } });
  server.child.kill("SIGINT");
  await server.waitForExit("the server");
  for (const secret of [ACCOUNT_KEY, CALLER_KEY, "sk-mistyped"])
    expect(server.stdout() + server.stderr()).not.toContain(secret);
});

test("the gateway shuts down and releases its port when its npm process is killed", async () => {
  const { upstream } = await startHeldUpstream();
  const shell = runNode("-e", env(upstream, { DRAIN_MS: "100", npm_lifecycle_event: "start" }), [
    `require("node:child_process").spawn(process.execPath, ["${SERVER}"], { stdio: "inherit" })`,
  ]);
  const port = await waitForPort(shell);
  shell.child.kill("SIGKILL");
  await waitUntil(() => shell.stdout().includes('"server: shutting down"'), "the server to notice");
  const refused = async (): Promise<boolean> => {
    const client = new RawClient(port);
    await client.waitForEnd("a connection", 100).catch(() => undefined);
    return client.error === "ECONNREFUSED";
  };
  expect(await waitUntil(refused, "the port to be free")).toBe(true);
});

test("the gateway exits after SIGINT although nobody reads its log pipe any more", async () => {
  const { upstream } = await startHeldUpstream();
  const server = runNode(SERVER, env(upstream));
  await waitForPort(server);
  server.child.stdout?.destroy();
  server.child.kill("SIGINT");
  expect(await server.waitForExit("the server without a reader")).toBe(0);
});
