import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { sendRequest } from "../support/send-request.ts";
import { ACCOUNT_KEY, CALLER_KEY } from "../support/gateway.ts";
import { DONE, EVENT, startHeldUpstream, openStream } from "../support/held-upstream.ts";
import { waitForPort, runNode } from "../support/run-node.ts";
import { waitUntil } from "../support/wait.ts";

const SERVER = "src/server.ts";

const settings = (baseUrl: string) => ({
  PORT: "0",
  DRAIN_MS: "300",
  OPENROUTER_API_KEY: ACCOUNT_KEY,
  GATEWAY_API_KEYS: `team:${CALLER_KEY}`,
  OPENROUTER_BASE_URL: baseUrl,
});

test.each(["SIGHUP", "SIGQUIT"] as const)(
  "after %s, the gateway shuts down, lets streams finish, and exits with 0",
  async (signal) => {
    const { upstream, finish } = await startHeldUpstream();
    const server = runNode(SERVER, settings(upstream.baseUrl));
    const port = await waitForPort(server);
    const stream = await openStream(port);
    server.child.kill(signal);
    await waitUntil(() => server.stdout().includes(`"signal":"${signal}"`), "the signal in the log");
    finish();
    expect((await stream.waitForResponse("the stream")).body.toString()).toBe(EVENT + DONE);
    expect(await server.waitForExit("the stopped server")).toBe(0);
  },
);

test("exits with 0 after a SIGTERM during its start", async () => {
  // Imitates a database that accepts connections and never replies. The start of the server waits for it.
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
  expect(await server.waitForExit("the starting server", 3_000)).toBe(0);
  expect(server.stdout()).not.toContain('"server: listening"');
});

test("SIGUSR1 does not open the inspector", async () => {
  const { upstream } = await startHeldUpstream();
  const server = runNode(SERVER, settings(upstream.baseUrl));
  const port = await waitForPort(server);
  server.child.kill("SIGUSR1");
  for (let count = 0; count < 5; count++) expect((await sendRequest(port)).status).toBe(200);
  expect(server.stderr()).not.toMatch(/debugger/i);
});

test.each([
  [(port: number) => ` ${port} `, 0],
  [(port: number) => `"${port}"`, 0],
  [(port: number) => String(port), 0],
  [() => "1", 1],
  [() => "0", 1],
])(
  "the image's health check parses PORT as the gateway does: %s exits with %d",
  async (write, code) => {
    const { upstream } = await startHeldUpstream();
    const server = runNode(SERVER, settings(upstream.baseUrl));
    const port = await waitForPort(server);
    for (const HOST of ["0.0.0.0", "127.0.0.1", "'localhost'"]) {
      const check = runNode(SERVER, { HOST, PORT: write(port) }, ["--health"]);
      expect(await check.waitForExit("the health check")).toBe(code);
      expect(check.stderr()).toBe("");
    }
  },
  30_000,
);
