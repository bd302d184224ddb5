import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { sendRequest } from "../support/send-request.ts";
import { startConnectProxy } from "../support/connect-proxy.ts";
import { findFreePort } from "../support/ports.ts";
import { ACCOUNT_KEY, CALLER_KEY, startTestGateway } from "../support/gateway.ts";
import { DONE, EVENT, startHeldUpstream, openStream } from "../support/held-upstream.ts";
import { waitForPort, runNode } from "../support/run-node.ts";
import { startScriptedUpstream } from "../support/scripted-upstream.ts";
import { waitUntil } from "../support/wait.ts";

const BASE_URL = "http://openrouter.test/api/v1";
const read = (name: string) => readFileSync(new URL(`../fixtures/tls/self-signed.${name}`, import.meta.url));

test("requests and streams pass through a CONNECT proxy, and only the proxy receives the proxy's password", async () => {
  const { upstream, finish } = await startHeldUpstream();
  const proxy = await startConnectProxy(upstream.port);
  const gateway = await startTestGateway(BASE_URL, {
    HTTP_PROXY: `http://us%40er:canary%3A1@127.0.0.1:${proxy.port}`,
  });
  const stream = await openStream(gateway.port);
  expect((await sendRequest(gateway.port)).status).toBe(200);
  expect((await sendRequest(gateway.port)).status).toBe(200);
  finish();
  expect((await stream.waitForResponse("the stream")).body.toString()).toBe(EVENT + DONE);
  // The third request reuses a tunnel: proxied connections are kept alive, too.
  expect(proxy.tunnels).toEqual(["openrouter.test:80", "openrouter.test:80"]);
  expect(proxy.forwarded).toEqual([]);
  expect(proxy.lastHeaders()["proxy-authorization"]).toBe(`Basic ${btoa("us@er:canary:1")}`);
  expect(upstream.seen[0]?.headers).toMatchObject({
    host: "openrouter.test",
    authorization: `Bearer ${ACCOUNT_KEY}`,
  });
  expect(JSON.stringify([upstream.seen, gateway.logs])).not.toMatch(/canary|proxy-/);
});

test("the gateway connects to a host in NO_PROXY without the proxy", async () => {
  const { upstream } = await startHeldUpstream();
  const proxy = await startConnectProxy(upstream.port);
  const gateway = await startTestGateway(upstream.baseUrl, {
    HTTP_PROXY: `http://127.0.0.1:${proxy.port}`,
    NO_PROXY: "localhost,127.0.0.0/8",
  });
  expect((await sendRequest(gateway.port)).status).toBe(200);
  expect(proxy.tunnels).toEqual([]);
});

test("timeouts and size limits also apply to responses that arrive through a proxy", async () => {
  const silent = await startScriptedUpstream((socket, { line }) => {
    if (line.includes("/models")) socket.write(`HTTP/1.1 200 OK\r\nx-long: ${"x".repeat(40_000)}\r\n\r\n`);
  });
  const proxy = await startConnectProxy(silent.port);
  const gateway = await startTestGateway(BASE_URL, {
    HTTP_PROXY: `http://127.0.0.1:${proxy.port}`,
    UPSTREAM_HEADERS_TIMEOUT_MS: "300",
  });
  const late = await sendRequest(gateway.port);
  expect([late.status, JSON.parse(late.body.toString()).error.code]).toEqual([504, "upstream_timeout"]);
  const long = await sendRequest(gateway.port, { method: "GET", path: "/openai/v1/models", body: "" });
  expect([long.status, JSON.parse(long.body.toString()).error.code]).toEqual([502, "upstream_bad_response"]);
});

test.each([
  [
    "refuses the password",
    "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 2\r\n\r\nno",
    "PROXY_407",
    1,
  ],
  ["refuses the host", "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", "PROXY_403", 1],
  ["cannot reach the host", "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", "PROXY_503", 3],
  ["does not speak HTTP", "what?\r\n\r\n", "HTTPParserError", 3],
])("a proxy that %s causes a 502 that allows a retry", async (_, response, cause, attempts) => {
  const { upstream } = await startHeldUpstream();
  const proxy = await startConnectProxy(upstream.port, (socket) => socket.end(response));
  const gateway = await startTestGateway(BASE_URL, { HTTP_PROXY: `http://127.0.0.1:${proxy.port}` });
  const { status, headers, body } = await sendRequest(gateway.port);
  expect([status, headers["x-should-retry"]]).toEqual([502, undefined]);
  expect(JSON.parse(body.toString()).error.code).toBe("upstream_unreachable");
  expect(await gateway.waitForRequestLog("the request")).toMatchObject({ cause });
  expect(proxy.tunnels).toHaveLength(attempts);
  expect(upstream.seen).toEqual([]);
});

test("a proxy that resets connections, is silent or is absent causes a 502 within the connect timeout", async () => {
  const { upstream } = await startHeldUpstream();
  const resetting = await startConnectProxy(upstream.port, (socket) => socket.resetAndDestroy());
  const silent = await startConnectProxy(upstream.port, () => {});
  for (const port of [resetting.port, silent.port, await findFreePort()]) {
    const gateway = await startTestGateway(BASE_URL, {
      HTTP_PROXY: `http://127.0.0.1:${port}`,
      UPSTREAM_CONNECT_TIMEOUT_MS: "500",
    });
    const response = await sendRequest(gateway.port);
    expect(JSON.parse(response.body.toString()).error.code).toBe("upstream_unreachable");
  }
});

test("the gateway verifies certificates through the tunnel, and logs the proxy at start", async () => {
  const server = createServer({ key: read("key"), cert: read("pem") }, (_request, response) => {
    response.writeHead(200, { "content-type": "application/json" }).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const proxy = await startConnectProxy((server.address() as AddressInfo).port);
  const start = async (env: Record<string, string>) => {
    const gateway = runNode("src/server.ts", {
      PORT: "0",
      DRAIN_MS: "0",
      OPENROUTER_API_KEY: ACCOUNT_KEY,
      GATEWAY_API_KEYS: `team:${CALLER_KEY}`,
      OPENROUTER_BASE_URL: "https://localhost/api/v1",
      https_proxy: `http://user:canary@127.0.0.1:${proxy.port}`,
      ...env,
    });
    const { status } = await sendRequest(await waitForPort(gateway));
    await waitUntil(() => gateway.stdout().includes('"request"'), "the request's log line");
    gateway.child.kill("SIGKILL");
    return { status, log: gateway.stdout() + gateway.stderr() };
  };
  const certificate = new URL("../fixtures/tls/self-signed.pem", import.meta.url).pathname;
  const trusting = await start({ NODE_EXTRA_CA_CERTS: certificate });
  expect(trusting.status).toBe(200);
  expect(trusting.log).toContain(`"proxy":"127.0.0.1:${proxy.port}"`);
  const strict = await start({});
  expect(strict.status).toBe(502);
  expect(strict.log).toMatch(/"cause":"[A-Z_]*(CERT|SELF_SIGNED)[A-Z_]*"/);
  expect(proxy.tunnels).toContain("localhost:443");
  expect(trusting.log + strict.log).not.toContain("canary");
}, 60_000);
