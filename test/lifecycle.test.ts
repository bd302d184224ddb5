import { expect, test } from "vitest";
import { sendRequest } from "./support/send-request.ts";
import { AUTHORIZATION, CHAT_PATH, buildChatBody } from "./support/chat-request.ts";
import { startTestGateway } from "./support/gateway.ts";
import { DONE, EVENT, startHeldUpstream, openStream } from "./support/held-upstream.ts";
import { isListening } from "./support/ports.ts";
import { parseResponse, RawClient } from "./support/raw-client.ts";
import {
  formatChunk,
  formatChunkedHead,
  LAST_CHUNK,
  formatResponse,
  startScriptedUpstream,
} from "./support/scripted-upstream.ts";
import { measureRunningMs, waitUntil, waitFor } from "./support/wait.ts";

const READY = { method: "GET", path: "/readyz", body: "" };

test("during the shutdown delay a gateway is not ready, serves requests, and asks clients to close their connections", async () => {
  const { upstream, finish } = await startHeldUpstream();
  const gateway = await startTestGateway(upstream.baseUrl);
  expect((await sendRequest(gateway.port, READY)).status).toBe(200);
  const stream = await openStream(gateway.port);
  const stopped = gateway.stop({ delayMs: 2_000, graceMs: 60_000 });
  const ready = await sendRequest(gateway.port, READY);
  expect([ready.status, JSON.parse(ready.body.toString())]).toMatchObject([503, { draining: true }]);
  expect((await sendRequest(gateway.port, { ...READY, path: "/healthz" })).status).toBe(200);
  for (const request of [
    {},
    { body: "{" },
    { headers: { authorization: "Bearer sk-wrong" } },
    { path: "/nothing" },
  ]) {
    expect((await sendRequest(gateway.port, request)).headers["connection"]).toBe("close");
  }
  expect((await sendRequest(gateway.port)).status).toBe(200);
  await waitUntil(async () => !(await isListening(gateway.port)), "the gateway to stop listening");
  finish();
  expect((await stream.waitForResponse("the stream")).body.toString()).toBe(EVENT + DONE);
  await waitFor(stopped, "the gateway to stop");
});

test("after the shutdown delay a gateway accepts no connections, closes idle connections, and stops after the last stream", async () => {
  const { upstream, finish } = await startHeldUpstream();
  const gateway = await startTestGateway(upstream.baseUrl);
  const idle = new RawClient(gateway.port);
  idle.post(CHAT_PATH, buildChatBody(), AUTHORIZATION);
  await idle.waitForResponse("the first response");
  const stream = await openStream(gateway.port);
  const stopped = gateway.stop({ delayMs: 0, graceMs: 60_000 });
  await idle.waitForEnd("the idle connection");
  const late = new RawClient(gateway.port);
  await waitUntil(() => late.isClosed, "the refusal of a new connection");
  expect(stream.isClosed).toBe(false);
  finish();
  expect(await measureRunningMs(waitFor(stopped, "the gateway to stop"))).toBeLessThan(1_000);
  expect(stream.readResponse()?.body.toString()).toBe(EVENT + DONE);
});

test("a gateway that stops listening serves a request that is already in transit on an open connection", async () => {
  const { upstream } = await startHeldUpstream();
  const gateway = await startTestGateway(upstream.baseUrl);
  const open = new RawClient(gateway.port);
  open.post(CHAT_PATH, buildChatBody(), AUTHORIZATION);
  await open.waitForResponse("the first response");
  const firstResponseEnd = open.received.length;
  const stopped = gateway.stop({ delayMs: 0, graceMs: 60_000 });
  await waitUntil(async () => !(await isListening(gateway.port)), "the gateway to stop listening");
  open.post(CHAT_PATH, buildChatBody(), AUTHORIZATION);
  await waitUntil(() => open.isClosed, "the end of the connection");
  const second = parseResponse(open.received.subarray(firstResponseEnd));
  expect([second?.status, second?.headers["connection"], open.error]).toEqual([200, "close", undefined]);
  await waitFor(stopped, "the gateway to stop");
});

test("when the grace period ends, a gateway sends an error event to a running stream, and aborts the stream and its upstream request", async () => {
  const { upstream } = await startHeldUpstream();
  const gateway = await startTestGateway(upstream.baseUrl);
  const stream = await openStream(gateway.port);
  await waitFor(gateway.stop({ delayMs: 0, graceMs: 200 }), "the gateway to stop");
  const response = await stream.waitForEnd("the aborted stream");
  expect(response?.body.toString()).toMatch(/"code":503,"metadata":\{"reason":"shutting_down"\}\}\}\n\n$/);
  expect(response?.complete).toBe(false);
  await waitUntil(() => upstream.open.size === 0, "the upstream request to be aborted");
  expect(
    await gateway.waitForRequestLog("the aborted stream", (log) => log["route"] === CHAT_PATH),
  ).toMatchObject({
    error: "shutting_down",
  });
});

test("when the grace period ends, a gateway responds with 503 to a non-streaming request that waits for upstream", async () => {
  const upstream = await startScriptedUpstream(() => {});
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, buildChatBody(), AUTHORIZATION);
  await waitUntil(() => upstream.seen.length === 1, "the request at upstream");
  await waitFor(gateway.stop({ delayMs: 0, graceMs: 100 }), "the gateway to stop");
  const response = await client.waitForEnd("the waiting request");
  expect([response?.status, response?.headers["x-should-retry"]]).toEqual([503, "false"]);
  expect(JSON.parse(response?.body.toString() ?? "")).toMatchObject({ error: { code: "shutting_down" } });
});

test("during the shutdown, the response to an earlier request has the header connection: close", async () => {
  const responders: (() => void)[] = [];
  const upstream = await startScriptedUpstream((socket) => {
    responders.push(() => socket.write(formatResponse(200, { "content-type": "application/json" }, "{}")));
  });
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, buildChatBody(), AUTHORIZATION);
  await waitUntil(() => upstream.seen.length === 1, "the request at upstream");
  const stopped = gateway.stop({ delayMs: 100, graceMs: 60_000 });
  responders.forEach((respond) => respond());
  expect((await client.waitForResponse("the response")).headers["connection"]).toBe("close");
  await waitFor(stopped, "the gateway to stop");
});

test("a gateway sends the rest of a finished response to a slow client before the gateway stops", async () => {
  const long = Buffer.alloc(12_000_000, 0x61);
  const upstream = await startScriptedUpstream((socket) => {
    socket.write(
      Buffer.concat([
        Buffer.from(formatChunkedHead()),
        formatChunk(long),
        formatChunk("\n\ndata: [DONE]\n\n"),
        Buffer.from(LAST_CHUNK),
      ]),
    );
  });
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, buildChatBody({ stream: true }), AUTHORIZATION);
  await waitUntil(() => client.received.length > 0, "the first bytes");
  client.socket.pause();
  const stopped = gateway.stop({ delayMs: 0, graceMs: 60_000 });
  await new Promise((resolve) => setTimeout(resolve, 500));
  client.socket.resume();
  expect((await client.waitForResponse("the long response")).body.length).toBe(long.length + 16);
  await waitFor(stopped, "the gateway to stop");
});

test("when the grace period ends, a gateway responds with 503 to an incomplete upload, and allows the client to retry", async () => {
  const upstream = await startScriptedUpstream(() => {});
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port);
  client.send(
    `POST ${CHAT_PATH} HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\nexpect: 100-continue\r\n` +
      `authorization: ${AUTHORIZATION.authorization}\r\ncontent-length: 1000\r\n\r\n`,
  );
  await waitUntil(() => client.received.includes("100 Continue"), "100 Continue");
  await waitFor(gateway.stop({ delayMs: 0, graceMs: 100 }), "the gateway to stop");
  const response = await client.waitForEnd("the upload");
  expect([response?.status, response?.headers["retry-after"], response?.headers["x-should-retry"]]).toEqual([
    503,
    "1",
    undefined,
  ]);
  expect(JSON.parse(response?.body.toString() ?? "")).toMatchObject({ error: { code: "overloaded" } });
  expect(upstream.connections).toBe(0);
});

test("a gateway that stops does not truncate a finished response that is still in the send buffer", async () => {
  const data = Array.from({ length: 20_000 }, (_, index) => ({
    id: `a/${index}`,
    description: "x".repeat(1_000),
  }));
  const list = formatResponse(200, { "content-type": "application/json" }, JSON.stringify({ data }));
  const upstream = await startScriptedUpstream((socket) => socket.write(list));
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port);
  client.send(
    `GET /openai/v1/models HTTP/1.1\r\nhost: gateway\r\nauthorization: ${AUTHORIZATION.authorization}\r\n\r\n`,
  );
  await waitUntil(() => client.received.length > 0, "the first bytes");
  client.socket.pause();
  const stopped = gateway.stop({ delayMs: 0, graceMs: 60_000 });
  await new Promise((resolve) => setTimeout(resolve, 400));
  client.socket.resume();
  const response = await client.waitForResponse("the list");
  expect((JSON.parse(response.body.toString()) as { data: unknown[] }).data.length).toBe(data.length);
  await waitFor(stopped, "the gateway to stop");
});
