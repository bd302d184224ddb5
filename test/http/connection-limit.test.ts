import { expect, test } from "vitest";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { DONE, EVENT, startHeldUpstream, openStream } from "../support/held-upstream.ts";
import { RawClient } from "../support/raw-client.ts";
import { waitUntil } from "../support/wait.ts";

const HEALTH = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

async function startLimited(max: number) {
  const { upstream, finish } = await startHeldUpstream();
  const gateway = await startTestGateway(upstream.baseUrl, { MAX_CONNECTIONS: String(max) });
  return { gateway, finish };
}

/** Opens a connection that stays open after its first response. */
async function keepAlive(gateway: TestGateway): Promise<RawClient> {
  const client = new RawClient(gateway.port);
  client.send(HEALTH);
  await client.waitForResponse("the first request");
  return client;
}

function findLimitLogs(gateway: TestGateway) {
  return gateway.logs.filter(({ msg }) => msg === "connections: limit reached, closed connections");
}

test("closes the connection that has been idle longest when a new connection exceeds the limit", async () => {
  const { gateway } = await startLimited(3);
  const clients: RawClient[] = [];
  for (let count = 0; count < 3; count++) clients.push(await keepAlive(gateway));
  const [first, second, third] = clients as [RawClient, RawClient, RawClient];
  // The second connection has now been idle longest.
  const before = first.received.length;
  first.send(HEALTH);
  await waitUntil(() => first.received.length > before, "the second response");
  const fourth = await keepAlive(gateway);
  await waitUntil(() => second.isClosed, "the connection that was idle longest to be closed");
  expect([first.isClosed, third.isClosed, fourth.isClosed]).toEqual([false, false, false]);
  expect(findLimitLogs(gateway)).toMatchObject([
    { level: 40, dropped: 0, idle_closed: 1, accept_errors: 0, max_connections: 3 },
  ]);
});

test("closes no idle connection below the limit", async () => {
  const { gateway } = await startLimited(3);
  const clients = [await keepAlive(gateway), await keepAlive(gateway), await keepAlive(gateway)];
  for (const client of clients) {
    const before = client.received.length;
    client.send(HEALTH);
    await waitUntil(() => client.received.length > before, "the second response");
  }
  expect(clients.map(({ isClosed }) => isClosed)).toEqual([false, false, false]);
  expect(findLimitLogs(gateway)).toEqual([]);
});

test("serves every new client while idle clients hold all connections", async () => {
  const { gateway } = await startLimited(10);
  const idle = Array.from({ length: 40 }, () => new RawClient(gateway.port));
  for (const client of idle.slice(20)) client.send("GET /healthz HT");
  for (let count = 0; count < 20; count++) {
    const client = await keepAlive(gateway);
    expect(client.readResponse()?.status).toBe(200);
  }
  await waitUntil(
    () => idle.filter(({ isClosed }) => isClosed).length >= 30,
    "the idle connections to be closed",
  );
});

test("drops a new connection when all others have a request in flight, and keeps the others", async () => {
  const { gateway, finish } = await startLimited(3);
  const streams = [
    await openStream(gateway.port),
    await openStream(gateway.port),
    await openStream(gateway.port),
  ];
  const dropped = Array.from({ length: 5 }, () => new RawClient(gateway.port));
  await waitUntil(() => dropped.every(({ isClosed }) => isClosed), "the new connections to be closed");
  // The gateway logs the first drop at once, and the number of the others later.
  expect(findLimitLogs(gateway)).toMatchObject([{ dropped: 1, idle_closed: 0, max_connections: 3 }]);
  finish();
  for (const stream of streams)
    expect((await stream.waitForResponse("the stream")).body.toString()).toBe(EVENT + DONE);
  // All connections are available again.
  expect((await keepAlive(gateway)).readResponse()?.status).toBe(200);
});

test("does not close a connection as idle while one of its two requests is in flight", async () => {
  const { gateway } = await startLimited(2);
  const pipelining = await openStream(gateway.port);
  pipelining.send(HEALTH);
  const other = await keepAlive(gateway);
  await keepAlive(gateway);
  await waitUntil(() => other.isClosed, "the idle connection to be closed");
  expect(pipelining.isClosed).toBe(false);
});

test("closes a connection with more than 64 requests in flight, and starts no further request of it", async () => {
  const { gateway } = await startLimited(10);
  const pipelining = new RawClient(gateway.port);
  pipelining.send(HEALTH.repeat(500));
  await waitUntil(() => pipelining.isClosed, "the connection to be closed");
  const other = await keepAlive(gateway);
  expect(other.isClosed).toBe(false);
  const started = gateway.logs.filter(({ msg, route }) => msg === "request" && route === "/healthz");
  expect(started.length).toBeLessThanOrEqual(66);
});

test("responds to 64 pipelined requests that arrive in one write", async () => {
  const { gateway } = await startLimited(10);
  const client = new RawClient(gateway.port);
  client.send(HEALTH.repeat(64));
  await waitUntil(() => client.received.toString().split("HTTP/1.1 200").length === 65, "every response");
  expect(client.isClosed).toBe(false);
});

test("limits the pipelined requests of all connections together, and does not count requests that have ended", async () => {
  const { gateway, finish } = await startLimited(100);
  const pipelining: RawClient[] = [];
  for (let count = 0; count < 16; count++) {
    const client = await openStream(gateway.port);
    client.send(HEALTH.repeat(63));
    pipelining.push(client);
  }
  const tooMany = await openStream(gateway.port);
  tooMany.send(HEALTH.repeat(63));
  await waitUntil(() => tooMany.isClosed, "the connection that exceeds the limit to be closed");
  expect(pipelining.map(({ isClosed }) => isClosed)).not.toContain(true);
  // Connections that pipeline nothing are still served.
  expect((await keepAlive(gateway)).readResponse()?.status).toBe(200);
  for (const client of pipelining.splice(0, 8)) client.socket.destroy();
  finish();
  for (const client of pipelining)
    await waitUntil(() => client.received.toString().split("HTTP/1.1 200").length === 65, "every response");
  for (let count = 0; count < 30; count++) {
    const client = new RawClient(gateway.port);
    client.send(HEALTH.repeat(64));
    await waitUntil(() => client.received.toString().split("HTTP/1.1 200").length === 65, "every response");
  }
});
