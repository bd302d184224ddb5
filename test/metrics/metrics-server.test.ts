import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { Registry } from "prom-client";
import { expect, onTestFinished, test, vi } from "vitest";
import { startMetricsServer } from "../../src/metrics/metrics-server.ts";
import { startTestGateway } from "../support/gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import { waitUntil } from "../support/wait.ts";

async function startServer(host = "127.0.0.1") {
  const registry = new Registry();
  const server = await startMetricsServer(registry, { host, port: 0 });
  onTestFinished(() => server.stop());
  return { registry, ...server, port: Number(new URL(server.url).port) };
}

test.each(["127.0.0.1", "::1", "localhost"])("listens on %s", async (host) => {
  const { url } = await startServer(host);
  expect((await fetch(url)).status).toBe(200);
});

test("answers the Accept header of Prometheus 3 in the text format 0.0.4", async () => {
  const { url } = await startServer();
  const accept =
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
  const response = await fetch(url, { headers: { accept } });
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const head = await fetch(url, { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
});

test("responds to everything else with 404, and repeats nothing of the request", async () => {
  const { url, port } = await startServer();
  for (const [method, path] of [
    ["GET", "/"],
    ["GET", "/metrics/secret"],
    ["GET", "/%secret"],
    ["POST", "/metrics"],
    ["OPTIONS", "/metrics"],
  ] as const) {
    const client = new RawClient(port);
    client.send(`${method} ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n`);
    const response = await waitUntil(() => client.readResponse(), `the response to ${method} ${path}`);
    expect([method, path, response.status]).toEqual([method, path, 404]);
    expect(response.body.toString()).not.toContain("secret");
    client.socket.destroy();
  }
  expect((await fetch(`${url}?x=1`)).status).toBe(200);
});

test("does not read bodies, refuses large headers, and closes connections above its limit", async () => {
  const { url, port } = await startServer();
  const upload = new RawClient(port);
  upload.send("POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n");
  await waitUntil(() => upload.socket.closed || upload.socket.readableEnded, "the upload to be closed");
  expect(upload.readResponse()?.headers["connection"]).toBe("close");
  const large = new RawClient(port);
  large.send(`GET /metrics HTTP/1.1\r\nhost: x\r\nx: ${"x".repeat(20_000)}\r\n\r\n`);
  expect((await waitUntil(() => large.readResponse(), "the refusal")).status).toBe(431);
  const idle = Array.from({ length: 100 }, () => new RawClient(port));
  await waitUntil(() => idle.filter(({ socket }) => socket.closed).length >= 68, "68 closed connections");
  for (const { socket } of idle) socket.destroy();
  await waitUntil(async () => (await fetch(url).catch(() => undefined))?.status === 200, "a scrape");
});

test("closes the connection of a client that reads a response for longer than 30 s, however steadily", async () => {
  const { registry, port } = await startServer();
  const { Gauge } = await import("prom-client");
  // Larger than the buffers of both sockets.
  registry.registerMetric(new Gauge({ name: "large", help: "x".repeat(30_000_000), registers: [] }));
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const slow = new RawClient(port);
  slow.send("GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n");
  await waitUntil(() => slow.readResponse(), "the head of the response");
  slow.socket.pause();
  vi.advanceTimersByTime(29_000);
  let hasRead = false;
  slow.socket.once("data", () => {
    slow.socket.pause();
    hasRead = true;
  });
  slow.socket.resume();
  await waitUntil(() => hasRead, "more of the response");
  vi.advanceTimersByTime(2_000);
  slow.socket.resume();
  // The timeout of an inactive connection is 10 s.
  const response = await slow.waitForEnd("the slow client", 5_000);
  expect(response?.complete).toBe(false);
});

test("overlapping scrapes share one collection", async () => {
  const { registry, url } = await startServer();
  const { Gauge } = await import("prom-client");
  let collections = 0;
  let finish = (): void => {};
  const finished = new Promise<void>((resolve) => (finish = resolve));
  const collect = (): Promise<void> => {
    collections++;
    return finished;
  };
  registry.registerMetric(new Gauge({ name: "slow", help: "Slow.", registers: [], collect }));
  const scrapes = [fetch(url), fetch(url), fetch(url)];
  await waitUntil(() => collections > 0, "the collection to begin");
  setTimeout(finish, 200);
  const texts = await Promise.all(scrapes.map(async (scrape) => (await scrape).text()));
  expect(collections).toBe(1);
  expect(new Set(texts).size).toBe(1);
});

test("a gateway whose METRICS_PORT is in use does not start, and names the setting", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void other.close());
  const port = await waitUntil(() => (other.address() as AddressInfo | null)?.port, "the other server");
  await expect(startTestGateway("http://127.0.0.1:9/api/v1", { METRICS_PORT: String(port) })).rejects.toThrow(
    /METRICS_PORT.*EADDRINUSE/,
  );
});
