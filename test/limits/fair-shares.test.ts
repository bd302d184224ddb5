import { once } from "node:events";
import { fastify } from "fastify";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { handleErrors } from "../../src/http/error-handler.ts";
import { trackRequests } from "../../src/http/active-requests.ts";
import { setDefaultHeaders } from "../../src/http/default-headers.ts";
import { ShutdownState } from "../../src/http/shutdown.ts";
import { keepBodiesRaw } from "../../src/http/raw-json.ts";
import { BodyMemory } from "../../src/limits/body-memory.ts";
import { InFlight } from "../../src/limits/in-flight.ts";
import { createLogger } from "../../src/observability/logger.ts";
import { createRequestContext } from "../support/request-context.ts";
import { sendRequest } from "../support/send-request.ts";
import { AUTHORIZATION, CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { measureCpuMs } from "../support/cpu.ts";
import { CALLER_KEY, startTestGateway } from "../support/gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import {
  formatChunk,
  formatChunkedHead,
  formatResponse,
  type Script,
  startScriptedUpstream,
} from "../support/scripted-upstream.ts";
import { waitUntil } from "../support/wait.ts";

const OTHER_KEY = "sk-other-0123456789";
const TWO_KEYS = { GATEWAY_API_KEYS: `team:${CALLER_KEY},other:${OTHER_KEY}` };
const OTHER = { authorization: `Bearer ${OTHER_KEY}` };
const STREAM_BEGINS = Buffer.concat([Buffer.from(formatChunkedHead()), formatChunk("data: 1\n\n")]);
const OK_RESPONSE = formatResponse(200, { "content-type": "application/json" }, "{}");

/** Script of an upstream that never ends a stream, and responds to non-streaming requests at once. */
const holdStreams: Script = (socket, { body }) =>
  socket.write(body.includes('"stream":true') ? STREAM_BEGINS : OK_RESPONSE);

function head(headers: Record<string, string>): string {
  const lines = Object.entries({ host: "gateway", "content-type": "application/json", ...headers });
  return `POST ${CHAT_PATH} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
}

function slowUpload(port: number, headers: Record<string, string>): RawClient {
  const client = new RawClient(port);
  client.send(head({ "content-length": "1000", ...headers }));
  client.send("{");
  return client;
}

/** @returns how many of these clients have received a complete response, by status and error code. */
function countResponses(clients: readonly RawClient[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const client of clients) {
    const response = client.readResponse();
    if (!response?.complete) continue;
    const { error } = JSON.parse(response.body.toString()) as { error?: { code: string } };
    const result = `${response.status} ${error?.code}`;
    counts.set(result, (counts.get(result) ?? 0) + 1);
  }
  return counts;
}

test("streams of one key take at most three quarters of all places, and the last quarter remains for keys that hold few places", async () => {
  const upstream = await startScriptedUpstream(holdStreams);
  const env = { ...TWO_KEYS, MAX_IN_FLIGHT: "16", MAX_IN_FLIGHT_PER_KEY: "3" };
  const gateway = await startTestGateway(upstream.baseUrl, env);
  const stream = async (headers: Record<string, string>): Promise<RawClient> => {
    const client = new RawClient(gateway.port);
    client.post(CHAT_PATH, buildChatBody({ stream: true }), headers);
    await waitUntil(() => client.readResponse(), "a response");
    return client;
  };
  const statuses: (number | undefined)[] = [];
  for (let sent = 0; sent < 13; sent++) statuses.push((await stream(AUTHORIZATION)).readResponse()?.status);
  expect(statuses).toEqual([...Array<number>(12).fill(200), 429]);
  const refused = await sendRequest(gateway.port);
  expect([refused.status, refused.headers["retry-after"], JSON.parse(refused.body.toString())]).toMatchObject(
    [429, "1", { error: { type: "rate_limit_error", code: "concurrency_limit_exceeded", param: null } }],
  );
  const others: (number | undefined)[] = [];
  for (let sent = 0; sent < 4; sent++) others.push((await stream(OTHER)).readResponse()?.status);
  expect(others).toEqual([200, 200, 200, 429]);
});

test("two thousand slow uploads of one key do not block requests or uploads of another key", async () => {
  const upstream = await startScriptedUpstream(holdStreams);
  const gateway = await startTestGateway(upstream.baseUrl, { ...TWO_KEYS, MAX_IN_FLIGHT: "800" });
  const clients: RawClient[] = [];
  for (let opened = 0; opened < 2_000; opened += 100) {
    const more = Array.from({ length: 100 }, () => slowUpload(gateway.port, AUTHORIZATION));
    clients.push(...more);
    await Promise.all(more.map(({ socket }) => once(socket, "connect")));
  }
  // Uploads may take 200 of the 800 places, and the uploads of one key 150 of these 200. The gateway refuses the other
  // 1,850 uploads.
  await waitUntil(
    () => countResponses(clients).get("429 concurrency_limit_exceeded") === 1_850,
    "refusals",
    120_000,
  );
  expect((await sendRequest(gateway.port, { headers: OTHER })).status).toBe(200);
  const upload = slowUpload(gateway.port, { ...OTHER, "content-length": String(buildChatBody().length) });
  await waitUntil(() => upload.socket.bytesWritten > 0 && upload.socket.writableLength === 0, "the upload");
  upload.send(buildChatBody().slice(1));
  expect((await upload.waitForResponse("the other key's upload")).status).toBe(200);
}, 180_000);

test("slow uploads with invented keys from one IPv6 network do not block a client with another address", async () => {
  const upstream = await startScriptedUpstream(holdStreams);
  const gateway = await startTestGateway(upstream.baseUrl, {
    OPENROUTER_API_KEY: undefined,
    GATEWAY_API_KEYS: undefined,
    TRUST_PROXY: "loopback",
    MAX_IN_FLIGHT: "80",
  });
  const clients = Array.from({ length: 200 }, (_, index) =>
    slowUpload(gateway.port, {
      authorization: `Bearer sk-or-${index}`,
      "x-forwarded-for": `2001:db8::${index.toString(16)}`,
    }),
  );
  await waitUntil(
    () => (countResponses(clients).get("429 concurrency_limit_exceeded") ?? 0) >= 185,
    "refusals",
  );
  const elsewhere = { authorization: "Bearer sk-or-1", "x-forwarded-for": "192.0.2.1" };
  expect((await sendRequest(gateway.port, { headers: elsewhere })).status).toBe(200);
});

test("a body that arrives together with the head of its request does not count as an upload", async () => {
  const upstream = await startScriptedUpstream(holdStreams);
  const gateway = await startTestGateway(upstream.baseUrl, { MAX_IN_FLIGHT: "4" });
  const first = slowUpload(gateway.port, AUTHORIZATION);
  await waitUntil(async () => {
    const second = slowUpload(gateway.port, AUTHORIZATION);
    await waitUntil(
      () => second.readResponse() ?? first.readResponse() ?? second.socket.bytesWritten > 0,
      "the second upload",
    );
    const status = (await sendRequest(gateway.port)).status;
    expect(status).toBe(200);
    return second.readResponse()?.status === 503;
  }, "the refusal of a second upload");
});

/** Starts an app that only reads bodies. Clients must send them at a minimum rate. */
async function startReader(graceMs: number, bytesPerSecond: number) {
  const inFlight = new InFlight(10);
  const budget = new BodyMemory(10_000);
  const app = fastify({ forceCloseConnections: true });
  trackRequests(app, (context) => {
    inFlight.leave(context);
    budget.release(context);
  });
  setDefaultHeaders(app, new ShutdownState());
  handleErrors(app, createLogger("silent"));
  keepBodiesRaw(app, {
    maxBytes: 10_000,
    budget,
    uploads: inFlight,
    minRate: { graceMs, bytesPerSecond },
  });
  app.addHook("onRequest", async ({ context }) => inFlight.enter(context));
  app.post(CHAT_PATH, async (request) => String((request.body as Buffer).length));
  await app.listen({ host: "127.0.0.1", port: 0 });
  onTestFinished(() => app.close());
  return { port: (app.server.address() as AddressInfo).port, inFlight, budget };
}

test("the gateway responds with 408 to a body that arrives below the minimum rate, and accepts a faster body", async () => {
  const { port, inFlight, budget } = await startReader(300, 100);
  const slow = slowUpload(port, {});
  const drip = setInterval(() => slow.send("x"), 50);
  onTestFinished(() => clearInterval(drip));
  const steady = slowUpload(port, { "content-length": "161" });
  for (let sent = 0; sent < 8; sent++) {
    const bytes = steady.socket.bytesWritten;
    const at = performance.now();
    await waitUntil(() => performance.now() - at > 100, "the next piece");
    steady.send("x".repeat(20));
    await waitUntil(() => steady.socket.bytesWritten > bytes, "the piece to be sent");
  }
  expect((await steady.waitForResponse("the steady upload")).body.toString()).toBe("161");
  const refusal = await slow.waitForResponse("the slow upload");
  expect([refusal.status, JSON.parse(refusal.body.toString())]).toMatchObject([
    408,
    { error: { code: "request_timeout" } },
  ]);
  await waitUntil(
    () => inFlight.count + inFlight.uploads + budget.heldBytes === 0,
    "every count to return to 0",
  );
});

test("every count returns to 0 after a thousand requests that end in random ways", async () => {
  const endings: Script[] = [
    (socket) => socket.write(OK_RESPONSE),
    (socket) => socket.write(formatResponse(500, { "content-type": "application/json" }, "{}")),
    (socket) => socket.resetAndDestroy(),
    (socket) => socket.end(STREAM_BEGINS),
    () => {},
  ];
  let received = 0;
  let holdsAll = false;
  const upstream = await startScriptedUpstream((socket, request) => {
    if (holdsAll) socket.write(STREAM_BEGINS);
    else endings[received++ % endings.length]?.(socket, request);
  });
  const gateway = await startTestGateway(upstream.baseUrl, {
    MAX_IN_FLIGHT: "80",
    MAX_IN_FLIGHT_PER_KEY: "80",
    BODY_MEMORY_BYTES: "10000000",
  });
  const { port } = gateway;
  let random = 7;
  const randomBelow = (max: number): number => {
    random = (random * 48_271) % 2_147_483_647;
    return random % max;
  };
  const run = async (): Promise<void> => {
    const body =
      randomBelow(5) === 0
        ? "{"
        : buildChatBody({ user: "x".repeat(randomBelow(4) === 0 ? 600_000 : randomBelow(9_000)) });
    const client = new RawClient(port);
    const path = randomBelow(6) === 0 ? `${CHAT_PATH}?dryRun=true` : CHAT_PATH;
    const declared = String(body.length + (randomBelow(6) === 0 ? 10 : 0));
    const sentBytes = randomBelow(3) === 0 ? randomBelow(body.length) : body.length;
    client.send(head({ ...AUTHORIZATION, "content-length": declared }).replace(CHAT_PATH, path));
    client.send(body.slice(0, sentBytes));
    const at = performance.now();
    const waitMs = randomBelow(60);
    const isOver = (): boolean =>
      client.readResponse()?.complete === true || client.isClosed || performance.now() - at > waitMs;
    await waitUntil(isOver, "the response or the time to disconnect");
    client.socket.resetAndDestroy();
  };
  for (let made = 0; made < 1_000; made += 20) await Promise.all(Array.from({ length: 20 }, run));
  // One caller may hold three quarters of the budget: 7.5 MB, which is the exact size of this body.
  const whole = buildChatBody({ user: "x".repeat(7_500_000 - buildChatBody({ user: "" }).length) });
  await waitUntil(
    async () => (await sendRequest(port, { body: whole, path: `${CHAT_PATH}?dryRun=x` })).status === 400,
    "the whole budget",
    20_000,
  );
  holdsAll = true;
  // Takes all 80 places, 20 of them with uploads. The gateway admits no more than 20 uploads.
  const declared = { ...AUTHORIZATION, "content-length": String(buildChatBody().length) };
  const uploads = Array.from({ length: 20 }, () => slowUpload(port, declared));
  const others = Array.from({ length: 60 }, () => new RawClient(port));
  for (const client of others) client.post(CHAT_PATH, buildChatBody(), AUTHORIZATION);
  await waitUntil(() => others.every((client) => client.readResponse()?.status === 200), "streams");
  for (const client of uploads) client.send(buildChatBody().slice(1));
  await waitUntil(
    () => uploads.every((client) => client.readResponse()?.status === 200),
    "streams of uploads",
  );
  expect((await sendRequest(port)).status).toBe(503);
}, 60_000);

/** Measures the CPU time of 2,000 checks of a caller while three quarters of the places and of the body memory are taken. */
function measureChecks(places: number): number {
  const inFlight = new InFlight(places, 1);
  const budget = new BodyMemory(1_000);
  // In a gateway, the client's address is a new string for each request. `join` also creates a new string each time.
  const next = () => Object.assign(createRequestContext(), { callerId: ["2001:db8::", "1"].join("") });
  for (let taken = 0; taken < places * 0.75; taken++) inFlight.enter(next());
  for (let held = 0; held < 750; held += 50) budget.hold(createRequestContext(), 50);
  const caller = next();
  return measureCpuMs(() => {
    for (let count = 0; count < 2_000; count++) {
      budget.check(caller, 60);
      expect(() => inFlight.enter(caller)).toThrow("Too many of your requests");
    }
  });
}

test("the time to check a caller does not depend on the number of places that are taken", () => {
  const few = measureChecks(16);
  expect(measureChecks(10_000)).toBeLessThan(2 * few);
});
