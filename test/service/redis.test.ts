import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { sendRequest } from "../support/send-request.ts";
import { AUTHORIZATION, CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import { startRedis } from "../support/redis.ts";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { waitUntil } from "../support/wait.ts";
import { findFreePort } from "../support/ports.ts";

const startOkUpstream = () =>
  startScriptedUpstream((socket) =>
    socket.write(formatResponse(200, { "content-type": "application/json" }, "{}")),
  );
const READY = { method: "GET", path: "/readyz", body: "" };

/** Reads a gateway's readiness. @returns the HTTP status, the status word, and the failing and the degraded parts. */
async function readiness(port: number): Promise<unknown[]> {
  const { status, body } = await sendRequest(port, READY);
  const { status: word, failing, degraded } = JSON.parse(body.toString()) as Record<string, unknown>;
  return [status, word, failing, degraded];
}

const isReady = async (port: number): Promise<boolean> => (await readiness(port))[1] === "ready";
const WITHOUT_REDIS = [200, "degraded", [], ["redis"]];

test("two replicas together admit exactly as many requests as the limit allows when they share one Redis", async () => {
  const redis = await startRedis();
  const upstream = await startOkUpstream();
  const env = { REDIS_URL: redis.url, RATE_LIMIT_MAX: "20" };
  const replicas = await Promise.all([
    startTestGateway(upstream.baseUrl, env),
    startTestGateway(upstream.baseUrl, env),
  ]);
  await waitUntil(
    async () => (await Promise.all(replicas.map(({ port }) => isReady(port)))).every(Boolean),
    "Redis to be connected",
  );
  const responses = await Promise.all(
    Array.from({ length: 80 }, (_, index) => sendRequest(replicas[index % 2]?.port ?? 0)),
  );
  expect(responses.filter(({ status }) => status === 200).length).toBe(20);
  expect(responses.filter(({ status }) => status === 429).length).toBe(60);
  expect(upstream.seen.length).toBe(20);
});

test("the gateway counts requests in its own memory and reports readiness as degraded while Redis hangs", async () => {
  const redis = await startRedis();
  const upstream = await startOkUpstream();
  const gateway = await startTestGateway(upstream.baseUrl, { REDIS_URL: redis.url, RATE_LIMIT_MAX: "3" });
  await waitUntil(() => isReady(gateway.port), "Redis to be connected");
  redis.process.kill("SIGSTOP");
  const started = performance.now();
  const statuses = [];
  for (let sent = 0; sent < 5; sent++) statuses.push((await sendRequest(gateway.port)).status);
  expect(statuses).toEqual([200, 200, 200, 429, 429]);
  // Only the first request waited for Redis. For the others, the gateway had already recorded the failure.
  expect(performance.now() - started).toBeLessThan(400);
  expect(gateway.logs.filter(({ msg }) => String(msg).startsWith("redis")).length).toBe(1);
  // Every replica is without Redis, so a load balancer must keep sending requests to all of them.
  expect(await readiness(gateway.port)).toEqual(WITHOUT_REDIS);
  redis.process.kill("SIGCONT");
  await waitUntil(() => isReady(gateway.port), "Redis to be reconnected");
});

test("requests do not stay in flight if their clients disconnect while Redis is slow", async () => {
  const redis = await startRedis();
  const upstream = await startOkUpstream();
  const gateway = await startTestGateway(upstream.baseUrl, {
    REDIS_URL: redis.url,
    REDIS_TIMEOUT_MS: "150",
    RATE_LIMIT_MAX: "1000",
    MAX_IN_FLIGHT: "2",
  });
  await waitUntil(() => isReady(gateway.port), "Redis to be connected");
  redis.process.kill("SIGSTOP");
  const clients = Array.from({ length: 6 }, () => new RawClient(gateway.port));
  for (const client of clients) client.post(CHAT_PATH, buildChatBody(), AUTHORIZATION);
  await new Promise((resolve) => setTimeout(resolve, 60));
  for (const client of clients) client.socket.resetAndDestroy();
  await waitUntil(
    () => gateway.logs.filter(({ outcome }) => outcome === "client_gone").length === 6,
    "six disconnected clients",
  );
  redis.process.kill("SIGCONT");
  await new Promise((resolve) => setTimeout(resolve, 300));
  for (let sent = 0; sent < 4; sent++) expect((await sendRequest(gateway.port)).status).toBe(200);
});

test("the gateway starts without Redis, sends no error text of Redis to clients, and uses Redis as soon as it is available", async () => {
  const port = await findFreePort();
  const upstream = await startOkUpstream();
  const gateway = await startTestGateway(upstream.baseUrl, {
    REDIS_URL: `redis://127.0.0.1:${port}`,
    RATE_LIMIT_MAX: "2",
  });
  const responses = [];
  for (let sent = 0; sent < 3; sent++) responses.push(await sendRequest(gateway.port));
  expect(responses.map(({ status }) => status)).toEqual([200, 200, 429]);
  expect(responses.map(({ body }) => body.toString()).join("")).not.toMatch(
    /redis|stream|writeable|timed out/i,
  );
  expect(await readiness(gateway.port)).toEqual(WITHOUT_REDIS);
  await startRedis(port);
  await waitUntil(() => isReady(gateway.port), "Redis to be connected");
  await waitUntil(
    async () => (await sendRequest(gateway.port)).status === 200,
    "a count in Redis that is below the limit",
  );
});

test.each([
  ["has lost its time to live", (client: Redis, key: string) => client.persist(key)],
  ["would live longer than the window", (client: Redis, key: string) => client.pexpire(key, 3_600_000)],
])("the gateway lets a count in Redis expire after one window when the count %s", async (_, damage) => {
  const redis = await startRedis();
  const upstream = await startOkUpstream();
  const windowMs = 1_000;
  const gateway = await startTestGateway(upstream.baseUrl, {
    REDIS_URL: redis.url,
    RATE_LIMIT_MAX: "2",
    RATE_LIMIT_WINDOW_MS: String(windowMs),
  });
  await waitUntil(() => isReady(gateway.port), "Redis to be connected");
  const client = new Redis(redis.url);
  onTestFinished(() => client.disconnect());
  const key = "sluice:rate:key:key:env:team";
  // A count far above the limit, as if the caller were locked out.
  await client.set(key, 50, "PX", windowMs);
  await damage(client, key);
  const response = await sendRequest(gateway.port);
  expect([response.status, response.headers["x-ratelimit-reset"]]).toEqual([429, "1"]);
  expect(await client.get(key)).toBe("51");
  expect(await client.pttl(key)).toBeGreaterThan(0);
  expect(await client.pttl(key)).toBeLessThanOrEqual(windowMs);
  await waitUntil(
    async () => (await sendRequest(gateway.port)).status === 200,
    "the caller to be admitted again",
  );
});

test("failed logins from an address over the limit cause no Redis command, and a known key from this address works", async () => {
  const redis = await startRedis();
  const upstream = await startOkUpstream();
  const gateway = await startTestGateway(upstream.baseUrl, { REDIS_URL: redis.url, RATE_LIMIT_MAX: "3" });
  await waitUntil(() => isReady(gateway.port), "Redis to be connected");
  const client = new Redis(redis.url);
  onTestFinished(() => client.disconnect());
  const wrong = async (index: number) =>
    (await sendRequest(gateway.port, { headers: { authorization: `Bearer sk-wrong-${index}` } })).status;
  for (let sent = 0; sent < 4; sent++) await wrong(sent);
  const key = "sluice:rate:failed-login:127.0.0.1";
  expect(await client.get(key)).toBe("4");
  for (let sent = 4; sent < 20; sent++) expect(await wrong(sent)).toBe(429);
  expect(await client.get(key)).toBe("4");
  expect((await sendRequest(gateway.port)).status).toBe(200);
});
