import type { Socket } from "node:net";
import { expect, test } from "vitest";
import { sendRequest } from "../support/send-request.ts";
import { AUTHORIZATION, CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { RawClient, type RawResponse } from "../support/raw-client.ts";
import {
  formatChunk,
  formatChunkedHead,
  LAST_CHUNK,
  type Script,
  startScriptedUpstream,
} from "../support/scripted-upstream.ts";
import { waitUntil } from "../support/wait.ts";
import { waitForRow, startMeteredGateway, sendStream } from "../support/metered-gateway.ts";

// Tests of responses that exceed the total timeout or the size limit.

const EVENT = 'data: {"id":"gen-1","model":"a/b","choices":[]}\n\n';
const USAGE =
  'data: {"id":"gen-1","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"cost":0.5}}\n\n';
const WITH_ID = formatChunkedHead({ "content-type": "text/event-stream", "x-generation-id": "gen-1" });
const JSON_HEAD = formatChunkedHead({ "content-type": "application/json" });
const TOTAL = { UPSTREAM_TOTAL_TIMEOUT_MS: "600" };
const LIMIT = { RESPONSE_LIMIT_BYTES: "100000" };

/** Sends a head, then one piece of a body every 20 ms, without end. */
const drip =
  (head: string, piece: string): Script =>
  (socket) => {
    socket.write(head);
    const timer = setInterval(() => socket.write(formatChunk(piece)), 20);
    socket.on("close", () => clearInterval(timer));
  };

/** Sends a head, then one piece of a body as fast as the connection accepts data. */
const flood =
  (head: string, piece: string): Script =>
  (socket) => {
    socket.write(head);
    const more = (): void => {
      while (!socket.destroyed && socket.write(formatChunk(piece))) continue;
    };
    socket.on("drain", more);
    more();
  };

function readLastError(response: RawResponse | undefined): unknown {
  const last = response?.body.toString().split("\n\n").at(-2)?.replace("data: ", "") ?? "";
  return (JSON.parse(last) as { error: { code: number; metadata: unknown } }).error;
}

async function relayUntilEnd(script: Script, env: Record<string, string>) {
  const upstream = await startScriptedUpstream(script);
  const gateway = await startTestGateway(upstream.baseUrl, env);
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, buildChatBody({ stream: true }), AUTHORIZATION);
  const response = await client.waitForEnd("the response");
  await waitUntil(() => upstream.open.size === 0, "the upstream request to be aborted");
  return { response, log: await gateway.waitForRequestLog("the response") };
}

test("sends an error event and aborts the response when a stream exceeds the total timeout", async () => {
  const startedAt = performance.now();
  const { response, log } = await relayUntilEnd(drip(WITH_ID, EVENT), TOTAL);
  expect(performance.now() - startedAt).toBeGreaterThan(590);
  expect(readLastError(response)).toMatchObject({ code: 504, metadata: { reason: "deadline_exceeded" } });
  expect([response?.complete, response?.body.includes("[DONE]")]).toEqual([false, false]);
  expect(log).toMatchObject({ outcome: "upstream_error", error: "deadline_exceeded", incomplete: true });
});

test("aborts the response without an error event when a stream exceeds the total timeout within an event", async () => {
  const { response } = await relayUntilEnd(drip(WITH_ID, "x"), TOTAL);
  expect(response?.body.toString()).toMatch(/^x+$/);
  expect(response?.complete).toBe(false);
});

test("aborts a JSON response that exceeds the total timeout", async () => {
  const { response, log } = await relayUntilEnd(drip(JSON_HEAD, "\n         \n"), TOTAL);
  expect(response?.body.toString().trim()).toBe("");
  expect(response?.complete).toBe(false);
  expect(log).toMatchObject({ error: "deadline_exceeded" });
});

test("sends a 504 that forbids a retry when upstream sends no head within the total timeout", async () => {
  const upstream = await startScriptedUpstream((socket) => {
    const timer = setInterval(() => socket.write("HTTP/1.1 103 Early Hints\r\n\r\n"), 20);
    socket.on("close", () => clearInterval(timer));
  });
  const gateway = await startTestGateway(upstream.baseUrl, TOTAL);
  const response = await sendRequest(gateway.port);
  expect([response.status, response.headers["x-should-retry"]]).toEqual([504, "false"]);
  expect(JSON.parse(response.body.toString())).toMatchObject({ error: { code: "deadline_exceeded" } });
  await waitUntil(() => upstream.open.size === 0, "the upstream request to be aborted");
  expect(upstream.seen).toHaveLength(1);
});

test("ends a stream cleanly when it exceeds a limit after [DONE]", async () => {
  const done = formatChunk(`${EVENT}data: [DONE]\n\n`);
  for (const [piece, env] of [
    [": waiting\n\n", TOTAL],
    [`: ${"x".repeat(10_000)}\n\n`, LIMIT],
  ] as const) {
    const upstream = await startScriptedUpstream((socket, request) => {
      drip(WITH_ID, piece)(socket, request);
      socket.write(done);
    });
    const gateway = await startTestGateway(upstream.baseUrl, env);
    const client = new RawClient(gateway.port);
    client.post(CHAT_PATH, buildChatBody({ stream: true }), AUTHORIZATION);
    expect((await client.waitForResponse("the stream")).body.includes("[DONE]")).toBe(true);
    expect(await gateway.waitForRequestLog("the stream")).toMatchObject({ outcome: "complete" });
    await waitUntil(() => upstream.open.size === 0, "the upstream request to be aborted");
  }
});

test("does not abort later requests on a connection when the total timeout of a complete stream passes", async () => {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(
      Buffer.concat([Buffer.from(WITH_ID), formatChunk(`${EVENT}data: [DONE]\n\n`), Buffer.from(LAST_CHUNK)]),
    ),
  );
  const gateway = await startTestGateway(upstream.baseUrl, { UPSTREAM_TOTAL_TIMEOUT_MS: "200" });
  const end = performance.now() + 500;
  while (performance.now() < end) expect((await sendRequest(gateway.port)).complete).toBe(true);
  expect(gateway.logs.filter(({ error }) => error !== undefined)).toEqual([]);
});

test("sends an error event after at most RESPONSE_LIMIT_BYTES when a stream exceeds the size limit", async () => {
  const { response, log } = await relayUntilEnd(flood(WITH_ID, EVENT), LIMIT);
  expect(readLastError(response)).toMatchObject({ code: 502, metadata: { reason: "response_too_large" } });
  const relayed = response?.body.subarray(0, response.body.lastIndexOf("data: "));
  expect(relayed?.length).toBeLessThanOrEqual(100_000);
  expect(relayed?.toString().replaceAll(EVENT, "")).toBe("");
  expect(log).toMatchObject({ outcome: "upstream_error", error: "response_too_large", incomplete: true });
});

test("relays a response of exactly the size limit", async () => {
  const body = `"${"x".repeat(99_998)}"`;
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(Buffer.concat([Buffer.from(JSON_HEAD), formatChunk(body), Buffer.from(LAST_CHUNK)])),
  );
  const gateway = await startTestGateway(upstream.baseUrl, LIMIT);
  expect((await sendRequest(gateway.port)).body.toString()).toBe(body);
});

test.each([
  ["exceeds the total timeout", "an id in its head", drip(WITH_ID, EVENT), TOTAL],
  ["exceeds the total timeout", "an id in its body", drip(formatChunkedHead(), EVENT), TOTAL],
  ["exceeds the size limit", "an id in its head", flood(WITH_ID, EVENT), LIMIT],
  [
    "exceeds the size limit",
    "an id in its body",
    flood(formatChunkedHead(), EVENT),
    { RESPONSE_LIMIT_BYTES: "1" },
  ],
  ["exceeds the size limit", "a usage field before its end", flood(WITH_ID, USAGE), LIMIT],
])("leaves the cost pending and drains nothing when a stream %s, with %s", async (_, __, script, env) => {
  const { gateway, upstream, secret } = await startMeteredGateway(script, env);
  const client = sendStream(gateway.port, secret);
  await client.waitForEnd("the stream");
  expect(await waitForRow(gateway)).toMatchObject({
    state: "pending",
    outcome: "upstream_error",
    generation_id: "gen-1",
    cost_nanodollars: null,
  });
  await waitUntil(() => upstream.open.size === 0, "the upstream request to be aborted");
});

test("leaves the cost pending when a JSON response exceeds the size limit while its head is written to the journal", async () => {
  const document = formatChunk(`{"id":"gen-1","choices":["${"x".repeat(300_000)}"]}`);
  const { gateway, upstream } = await startMeteredGateway(
    (socket) => socket.write(Buffer.concat([Buffer.from(JSON_HEAD), document])),
    { RESPONSE_LIMIT_BYTES: "1" },
  );
  await sendStream(gateway.port, gateway.caller).waitForEnd("the document");
  expect(await waitForRow(gateway)).toMatchObject({ state: "pending", generation_id: "gen-1" });
  await waitUntil(() => upstream.open.size === 0, "the upstream request to be aborted");
});

test("reads a web page for its generation id only until the total timeout, even when on_disconnect is drain", async () => {
  const page = drip(formatChunkedHead({ "content-type": "text/html" }), " ");
  const { gateway, upstream, secret } = await startMeteredGateway(page, {
    ...TOTAL,
    DISCONNECT_HEAD_WAIT_MS: "100",
  });
  expect((await sendStream(gateway.port, secret).waitForResponse("the error")).status).toBe(502);
  await waitUntil(() => upstream.open.size === 0, "the upstream request to be aborted");
  expect(await waitForRow(gateway)).toMatchObject({ state: "unknown" });
});

test("records the generation id of a head that arrives after the total timeout", async () => {
  const sockets: Socket[] = [];
  const { gateway, upstream } = await startMeteredGateway((socket) => void sockets.push(socket), TOTAL);
  const response = await sendStream(gateway.port, gateway.caller).waitForResponse("the error");
  expect(response.status).toBe(504);
  sockets[0]?.write(WITH_ID);
  expect(await waitForRow(gateway)).toMatchObject({ state: "pending", status: 504, generation_id: "gen-1" });
  await waitUntil(() => upstream.open.size === 0, "the upstream request to be aborted");
});

test("aborts a drained stream at the total timeout", async () => {
  const { gateway, upstream, secret } = await startMeteredGateway(drip(WITH_ID, EVENT), TOTAL);
  const client = sendStream(gateway.port, secret);
  await waitUntil(() => client.readResponse()?.body.length, "the first event");
  client.socket.resetAndDestroy();
  expect(await waitForRow(gateway)).toMatchObject({
    state: "pending",
    outcome: "client_gone",
    generation_id: "gen-1",
  });
  await waitUntil(() => upstream.open.size === 0, "the upstream request to be aborted");
});
