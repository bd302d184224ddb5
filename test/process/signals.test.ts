import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { ask } from "../support/ask.ts";
import { ACCOUNT_KEY, CALLER_KEY } from "../support/gateway.ts";
import { DONE, EVENT, startHeldUpstream, startStream } from "../support/held-upstream.ts";
import { listeningPort, runNode } from "../support/process.ts";
import { until } from "../support/until.ts";

const SERVER = "src/server.ts";

const settings = (baseUrl: string) => ({
  PORT: "0",
  DRAIN_MS: "300",
  OPENROUTER_API_KEY: ACCOUNT_KEY,
  GATEWAY_API_KEYS: `team:${CALLER_KEY}`,
  OPENROUTER_BASE_URL: baseUrl,
});

test.each(["SIGHUP", "SIGQUIT"] as const)(
  "%s drains and lets streams finish, then exits 0",
  async (signal) => {
    const { upstream, finish } = await startHeldUpstream();
    const server = runNode(SERVER, settings(upstream.baseUrl));
    const port = await listeningPort(server);
    const stream = await startStream(port);
    server.child.kill(signal);
    await until(() => server.stdout().includes(`"signal":"${signal}"`), "the signal in the log");
    finish();
    expect((await stream.whole("the stream")).body.toString()).toBe(EVENT + DONE);
    expect(await server.exit("the stopped server")).toBe(0);
  },
);

test("a SIGTERM while the gateway is still starting ends it with code 0", async () => {
  // A database that accepts connections and says nothing: the start waits for it.
  const silent = createServer(() => {}).listen(0, "127.0.0.1");
  onTestFinished(() => void silent.close());
  await once(silent, "listening");
  const connected = once(silent, "connection");
  const server = runNode(SERVER, {
    ...settings("http://127.0.0.1:9"),
    DATABASE_URL: `postgres://u:p@127.0.0.1:${(silent.address() as AddressInfo).port}/x`,
    DATA_DIR: "/tmp/sluice-starting",
  });
  await connected;
  server.child.kill("SIGTERM");
  expect(await server.exit("the starting server", 3_000)).toBe(0);
  expect(server.stdout()).not.toContain('"listening"');
});

test("SIGUSR1 does not open the inspector", async () => {
  const { upstream } = await startHeldUpstream();
  const server = runNode(SERVER, settings(upstream.baseUrl));
  const port = await listeningPort(server);
  server.child.kill("SIGUSR1");
  for (let count = 0; count < 5; count++) expect((await ask(port)).status).toBe(200);
  expect(server.stderr()).not.toMatch(/debugger/i);
});

test.each([
  [(port: number) => ` ${port} `, 0],
  [(port: number) => `"${port}"`, 0],
  [(port: number) => String(port), 0],
  [() => "1", 1],
  [() => "0", 1],
])(
  "the image's health check reads PORT as the gateway does: %s exits %d",
  async (write, code) => {
    const { upstream } = await startHeldUpstream();
    const server = runNode(SERVER, settings(upstream.baseUrl));
    const port = await listeningPort(server);
    for (const HOST of ["0.0.0.0", "127.0.0.1", "'localhost'"]) {
      const check = runNode(SERVER, { HOST, PORT: write(port) }, ["--health"]);
      expect(await check.exit("the health check")).toBe(code);
      expect(check.stderr()).toBe("");
    }
  },
  30_000,
);
