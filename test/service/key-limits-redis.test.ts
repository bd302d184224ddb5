import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import type { CallerKey } from "../../src/auth/caller-key.ts";
import { buildChatBody } from "../support/chat-request.ts";
import { createGroup, createLimitedKey } from "../support/limited-app.ts";
import { connectTo, type LimitedGateway, startLimitedGateway } from "../support/limited-gateway.ts";
import type { RawResponse } from "../support/raw-client.ts";
import { RedisStore } from "../../src/store/redis.ts";
import { startRedis } from "../support/redis.ts";
import { runNode } from "../support/run-node.ts";
import {
  formatChunk,
  formatChunkedHead,
  formatResponse,
  startScriptedUpstream,
} from "../support/scripted-upstream.ts";
import { measureRunningMs, waitUntil } from "../support/wait.ts";

const STREAM_BEGINS = Buffer.concat([Buffer.from(formatChunkedHead()), formatChunk("data: 1\n\n")]);
const USAGE = { prompt_tokens: 10, completion_tokens: 20, cost: 0.01 };
const OK_RESPONSE = formatResponse(
  200,
  { "content-type": "application/json" },
  JSON.stringify({ id: "gen-1", usage: USAGE }),
);

/** Starts an upstream that never ends a stream, and states 30 tokens for other requests. */
const startUpstream = () =>
  startScriptedUpstream((socket, { body }) =>
    socket.write(body.includes('"stream":true') ? STREAM_BEGINS : OK_RESPONSE),
  );

/** Starts gateways with the same keys and the same Redis, and waits until all are connected. */
async function startReplicas(count: number, keys: readonly CallerKey[], redisUrl: string) {
  const upstream = await startUpstream();
  const env = { REDIS_URL: redisUrl, REDIS_TIMEOUT_MS: "200" };
  const gateways = await Promise.all(
    Array.from({ length: count }, () => startLimitedGateway(upstream.baseUrl, keys, env)),
  );
  const isReady = async (): Promise<boolean> =>
    (await Promise.all(gateways.map((gateway) => gateway.isReady()))).every(Boolean);
  await waitUntil(isReady, "Redis to be connected");
  return { upstream, gateways, isReady };
}

/** Connects to Redis until the test ends. */
function connectRedis(url: string): Redis {
  const client = new Redis(url);
  onTestFinished(() => client.disconnect());
  return client;
}

function pick(gateways: readonly LimitedGateway[], index: number): LimitedGateway {
  return gateways[index % gateways.length] as LimitedGateway;
}

const readRedisLogs = ({ logs }: LimitedGateway): unknown[] =>
  logs.filter(({ msg }) => String(msg).startsWith("redis")).map(({ msg }) => msg);

const countAdmitted = (responses: readonly RawResponse[]): number =>
  responses.filter(({ status }) => status === 200).length;

test("four gateways together admit exactly as many requests as the limits of key and group allow", async () => {
  const redis = await startRedis();
  const group = createGroup("team-a", { requestsPerMinute: 30 });
  const keys = [
    createLimitedKey("a", { requestsPerDay: 12 }, group),
    createLimitedKey("b", { requestsPerMinute: 100 }, group),
  ];
  const { gateways, upstream } = await startReplicas(4, keys, redis.url);
  const send = (name: string, count: number): Promise<RawResponse[]> =>
    Promise.all(Array.from({ length: count }, (_, index) => pick(gateways, index).call(name)));
  expect(countAdmitted(await send("a", 60))).toBe(12);
  expect(countAdmitted(await send("b", 60))).toBe(18);
  expect(upstream.seen.length).toBe(30);
  const [refused] = await send("b", 1);
  expect(refused?.body.toString()).toContain("30 requests per minute of group team-a");
  // Refused requests were not counted for the key.
  const client = connectRedis(redis.url);
  expect(await client.hget("sluice:rate:minute:key:key_b", "used")).toBe("18");
  for (const key of await client.keys("*")) expect(await client.pttl(key)).toBeGreaterThan(0);
});

test("four gateways together admit exactly as many estimated tokens and requests in flight as allowed", async () => {
  const redis = await startRedis();
  const group = createGroup("team-a", { tokensPerMinute: 1_500 });
  const keys = [createLimitedKey("a", {}, group), createLimitedKey("b", { maxInFlight: 10 })];
  const { gateways, upstream } = await startReplicas(4, keys, redis.url);
  const body = buildChatBody({ stream: true, max_tokens: 70 });
  const estimate = Math.ceil(body.length / 4) + 70;
  const streamed = (name: string): Promise<string>[] =>
    Array.from({ length: 80 }, async (_, index) => {
      const client = await pick(gateways, index).openStream(name, { max_tokens: 70 });
      return String(client.readResponse()?.status);
    });
  const tokens = await Promise.all(streamed("a"));
  expect(tokens.filter((status) => status === "200").length).toBe(Math.floor(1_500 / estimate));
  const places = await Promise.all(streamed("b"));
  expect(places.filter((status) => status === "200").length).toBe(10);
  expect(upstream.open.size).toBe(10 + Math.floor(1_500 / estimate));
});

test("a gateway sees at once the places that another one releases, and the tokens that it corrects", async () => {
  const redis = await startRedis();
  const keys = [createLimitedKey("a", { maxInFlight: 1, tokensPerMinute: 1_000 })];
  const { gateways } = await startReplicas(2, keys, redis.url);
  const [first, second] = gateways as [LimitedGateway, LimitedGateway];
  const body = buildChatBody({ max_tokens: 900 });
  expect((await first.call("a", { body })).status).toBe(200);
  const next = await waitUntil(async () => {
    const response = await second.call("a", { body: "{}" });
    return response.status === 400 ? response : undefined;
  }, "a free place");
  expect(next.headers["x-ratelimit-remaining-tokens"]).toBe("970");
  const stream = await first.openStream("a");
  expect((await second.call("a")).body.toString()).toContain("1 requests in flight of key a");
  stream.socket.resetAndDestroy();
  const released = waitUntil(
    async () => (await second.call("a")).status === 200,
    "the place of the other gateway",
  );
  expect(await measureRunningMs(released)).toBeLessThan(500);
});

test("a request takes one command for all its limits, and a key without limits takes none", async () => {
  const redis = await startRedis();
  const limits = { requestsPerMinute: 1_000, requestsPerDay: 1_000 };
  const keys = [createLimitedKey("a", limits, createGroup("team-a", limits)), createLimitedKey("b", {})];
  const { gateways } = await startReplicas(1, keys, redis.url);
  const client = connectRedis(redis.url);
  const countCommands = async (name: string): Promise<number> => {
    await client.config("RESETSTAT");
    for (let sent = 0; sent < 10; sent++) expect((await pick(gateways, 0).call(name)).status).toBe(200);
    return Number(/cmdstat_eval:calls=(\d+)/.exec(await client.info("commandstats"))?.[1] ?? 0);
  };
  expect([await countCommands("a"), await countCommands("b")]).toEqual([10, 0]);
});

test("while Redis hangs, a gateway counts on in its memory within the time limit, and it recovers without a restart", async () => {
  const redis = await startRedis();
  const keys = [createLimitedKey("a", { requestsPerMinute: 5, maxInFlight: 2, tokensPerMinute: 100_000 })];
  const { gateways, isReady } = await startReplicas(1, keys, redis.url);
  const gateway = pick(gateways, 0);
  for (let sent = 0; sent < 2; sent++) expect((await gateway.call("a")).status).toBe(200);
  redis.process.kill("SIGSTOP");
  const startedAt = performance.now();
  const responses = await Promise.all(Array.from({ length: 8 }, () => gateway.call("a")));
  // Before the failure, two requests were counted; and all of these arrive while two others hold the places.
  expect(countAdmitted(responses)).toBeGreaterThanOrEqual(2);
  expect(countAdmitted(responses)).toBeLessThanOrEqual(3);
  while ((await gateway.call("a")).status === 200);
  expect(performance.now() - startedAt).toBeLessThan(1_500);
  expect((await gateway.call("a")).headers["x-ratelimit-remaining-requests"]).toBe("0");
  expect(readRedisLogs(gateway)).toEqual(["redis: unavailable, counting in this process"]);
  redis.process.kill("SIGCONT");
  await waitUntil(isReady, "Redis to be connected");
  await waitUntil(async () => {
    await gateway.call("a");
    return readRedisLogs(gateway).includes("redis: recovered, counting in Redis");
  }, "the recovery");
  expect(readRedisLogs(gateway).length).toBe(2);
});

test("gateways register their requests in flight again with a Redis that was killed and has lost its data", async () => {
  const redis = await startRedis();
  const { gateways, isReady } = await startReplicas(
    2,
    [createLimitedKey("a", { maxInFlight: 2 })],
    redis.url,
  );
  const [first, second] = gateways as [LimitedGateway, LimitedGateway];
  const streams = [await first.openStream("a"), await first.openStream("a")];
  expect((await second.call("a")).status).toBe(429);
  redis.process.kill("SIGKILL");
  await waitUntil(async () => !(await isReady()), "the failure of Redis");
  // Each gateway enforces the limit alone.
  expect([(await first.call("a")).status, (await second.call("a")).status]).toEqual([429, 200]);
  await startRedis(Number(new URL(redis.url).port));
  await waitUntil(isReady, "Redis to be connected");
  await waitUntil(async () => (await second.call("a")).status === 429, "the places of the first gateway");
  for (const { socket } of streams) socket.resetAndDestroy();
  await waitUntil(async () => (await second.call("a")).status === 200, "the released places");
});

test("the places of a killed gateway are free again within a minute", { timeout: 90_000 }, async () => {
  const redis = await startRedis();
  const upstream = await startUpstream();
  const env = { REDIS_URL: redis.url };
  const survivor = await startLimitedGateway(
    upstream.baseUrl,
    [createLimitedKey("a", { maxInFlight: 2 })],
    env,
  );
  await waitUntil(() => survivor.isReady(), "Redis to be connected");
  const victim = runNode("test/support/limited-process.ts", {}, [upstream.baseUrl, redis.url]);
  const [, port] = await waitUntil(() => /port (\d+)/.exec(victim.stdout()), "the other gateway", 20_000);
  const other = connectTo(Number(port));
  await waitUntil(() => other.isReady(), "Redis to be connected");
  await other.openStream("a");
  await other.openStream("a");
  expect((await survivor.call("a")).status).toBe(429);
  // The victim extends the time of its places as long as it lives.
  await new Promise((resolve) => setTimeout(resolve, 12_000));
  victim.child.kill("SIGKILL");
  await victim.waitForExit("the killed gateway");
  const killedAt = performance.now();
  expect((await survivor.call("a")).status).toBe(429);
  await waitUntil(async () => (await survivor.call("a")).status === 200, "the places", 60_000);
  expect(performance.now() - killedAt).toBeGreaterThan(25_000);
});

test("a reply that arrives in time is used, even if the gateway was too busy to read it in time", async () => {
  const redis = await startRedis();
  const failures: Error[] = [];
  const onFailure = (error: Error): void => void failures.push(error);
  const store = new RedisStore(redis.url, { timeoutMs: 20, onFailure, onRecovery: () => {} });
  onTestFinished(() => store.close());
  await waitUntil(() => store.isReachable(), "Redis to be connected");
  const counted = store.count("sluice:rate:test", 60_000);
  const busyUntil = performance.now() + 100;
  while (performance.now() < busyUntil);
  expect((await counted).count).toBe(1);
  redis.process.kill("SIGSTOP");
  await expect(store.count("sluice:rate:test", 60_000)).rejects.toMatchObject({ code: "ETIMEDOUT" });
});

test("requests that end while Redis hangs leave no places behind when Redis continues", async () => {
  const redis = await startRedis();
  const { gateways, isReady } = await startReplicas(
    2,
    [createLimitedKey("a", { maxInFlight: 3 })],
    redis.url,
  );
  const [first, second] = gateways as [LimitedGateway, LimitedGateway];
  const stream = await first.openStream("a");
  redis.process.kill("SIGSTOP");
  const responses = await Promise.all(Array.from({ length: 6 }, () => first.call("a")));
  expect(countAdmitted(responses)).toBeGreaterThanOrEqual(2);
  stream.socket.resetAndDestroy();
  await new Promise((resolve) => setTimeout(resolve, 500));
  redis.process.kill("SIGCONT");
  await waitUntil(isReady, "Redis to be connected");
  await waitUntil(async () => {
    await first.call("a");
    return readRedisLogs(first).includes("redis: recovered, counting in Redis");
  }, "the recovery");
  const released = waitUntil(async () => (await second.call("a")).status === 200, "the places");
  expect(await measureRunningMs(released)).toBeLessThan(1_000);
  const client = connectRedis(redis.url);
  const emptied = waitUntil(
    async () => (await client.zcard("sluice:in-flight:key:key_a")) === 0,
    "the last place",
  );
  expect(await measureRunningMs(emptied)).toBeLessThan(1_000);
});
