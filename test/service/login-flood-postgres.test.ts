import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { createSecret } from "../../src/key-secret.ts";
import { sendRequest } from "../support/send-request.ts";
import { type KeyedGateway, startKeyedGateway } from "../support/keyed-gateway.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { RawClient } from "../support/raw-client.ts";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { waitUntil } from "../support/wait.ts";

const CONNECTIONS = 1_500;
/** The limit of failed logins from one address if RATE_LIMIT_MAX is not set. */
const LOGINS_MAX = 600;
/** The network delay to a database in another zone. During this delay, look-ups queue. */
const DATABASE_DELAY_MS = 20;
const MODELS = "/openai/v1/models";
let postgres: Postgres;

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);

afterAll(() => postgres.close());

/** Starts a proxy that delays data to PostgreSQL. @returns the URL of the database through the proxy. */
async function startDelayingProxy(databaseUrl: string): Promise<string> {
  const url = new URL(databaseUrl);
  const target = { host: url.hostname, port: Number(url.port) };
  const sockets: Socket[] = [];
  const server = createServer((client) => {
    const database = connect(target);
    sockets.push(client, database);
    client.on("data", (bytes) => setTimeout(() => database.write(bytes), DATABASE_DELAY_MS));
    database.on("data", (bytes) => client.write(bytes));
    for (const [one, other] of [
      [client, database],
      [database, client],
    ] as const)
      one.on("error", () => {}).on("close", () => other.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  url.port = String((server.address() as AddressInfo).port);
  return url.href;
}

async function start(env: Record<string, string> = {}): Promise<KeyedGateway> {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(formatResponse(200, { "content-type": "application/json" }, '{"data":[]}')),
  );
  const gateway = await startKeyedGateway(upstream.baseUrl, {
    DATABASE_URL: await startDelayingProxy(await postgres.createDatabase()),
    ...env,
  });
  await waitUntil(async () => (await requestModels(gateway)) === 200, "the key to be known");
  return gateway;
}

const requestModels = async ({ port, caller }: KeyedGateway): Promise<number> =>
  (
    await sendRequest(port, {
      method: "GET",
      path: MODELS,
      body: "",
      headers: { authorization: `Bearer ${caller}` },
    })
  ).status;

/** Sends one request with an invented key over each connection. @param addressOf returns a client address to forward. */
function flood({ port }: KeyedGateway, connections: number, addressOf?: (index: number) => string) {
  const clients = Array.from({ length: connections }, (_, index) => {
    const client = new RawClient(port);
    const forwarded = addressOf ? `x-forwarded-for: ${addressOf(index)}\r\n` : "";
    client.send(
      `GET ${MODELS} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer ${createSecret()}\r\n${forwarded}\r\n`,
    );
    return client;
  });
  const statuses = (): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const client of clients) {
      const status = client.readResponse()?.status;
      if (status !== undefined) counts[status] = (counts[status] ?? 0) + 1;
    }
    return counts;
  };
  const isOver = (): boolean => clients.every((client) => client.readResponse()?.complete || client.isClosed);
  return { statuses, isOver };
}

/** Requests /readyz, and the models with a known key, until `isOver` returns true. @returns the statuses of both kinds of requests. */
async function watch(
  gateway: KeyedGateway,
  isOver: () => boolean,
): Promise<[ready: Set<number>, known: Set<number>]> {
  const ready = new Set<number>();
  const known = new Set<number>();
  const end = performance.now() + 30_000;
  while (!isOver() && performance.now() < end) {
    ready.add((await sendRequest(gateway.port, { method: "GET", path: "/readyz", body: "" })).status);
    known.add(await requestModels(gateway));
    await sleep(5);
  }
  expect(isOver()).toBe(true);
  return [ready, known];
}

test("while 1,500 connections send invented keys, a gateway on PostgreSQL stays ready and accepts a known key", async () => {
  const gateway = await start();
  const { statuses, isOver } = flood(gateway, CONNECTIONS);
  expect(await watch(gateway, isOver)).toEqual([new Set([200]), new Set([200])]);
  expect(statuses()).toEqual({ 401: LOGINS_MAX, 429: CONNECTIONS - LOGINS_MAX });
  expect(gateway.readLog()).not.toContain("http: internal error");
}, 60_000);

test("a gateway on PostgreSQL stays ready, and responds with 429 to invented keys from an address over its limit", async () => {
  const gateway = await start({ RATE_LIMIT_MAX: "1000" });
  const totals: Record<string, number> = {};
  for (let wave = 0; wave < 4; wave++) {
    const { statuses, isOver } = flood(gateway, 500);
    const [ready] = await watch(gateway, isOver);
    expect(ready).toEqual(new Set([200]));
    for (const [status, count] of Object.entries(statuses())) totals[status] = (totals[status] ?? 0) + count;
  }
  expect(totals).toEqual({ 401: 1_000, 429: 1_000 });
}, 60_000);

test("a gateway on PostgreSQL stays ready when invented keys arrive from many addresses behind a proxy", async () => {
  const gateway = await start({ TRUST_PROXY: "loopback" });
  const { statuses, isOver } = flood(gateway, CONNECTIONS, (index) => `10.${index >> 8}.${index & 255}.7`);
  expect(await watch(gateway, isOver)).toEqual([new Set([200]), new Set([200])]);
  expect(statuses()).toEqual({ 401: CONNECTIONS });
}, 60_000);

test("the admin API responds with 429 to invented keys from an address over its limit, and accepts the admin key from this address", async () => {
  const gateway = await start({ RATE_LIMIT_MAX: "50" });
  expect((await gateway.callAdmin("GET", "/keys")).status).toBe(200);
  const statusFor = async (secret: string): Promise<number> =>
    (await gateway.call(secret, { method: "GET", path: "/admin/v1/keys", body: "" })).status;
  const statuses = await Promise.all(Array.from({ length: 100 }, () => statusFor(createSecret())));
  expect(statuses.filter((status) => status === 401).length).toBe(50);
  expect(statuses.filter((status) => status === 429).length).toBe(50);
  expect((await gateway.callAdmin("GET", "/keys")).status).toBe(200);
});
