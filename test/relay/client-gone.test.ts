import { expect, test } from "vitest";
import { AUTHORIZATION, CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import {
  formatChunk,
  formatChunkedHead,
  type ScriptedUpstream,
  startScriptedUpstream,
} from "../support/scripted-upstream.ts";
import { waitUntil } from "../support/wait.ts";

const ABORT_DEADLINE_MS = 250;
const EVENT = 'data: {"choices":[]}\n\n';

/** Waits until upstream has no connection left and says how long that took. */
async function aborted(upstream: ScriptedUpstream, label: string): Promise<number> {
  const started = performance.now();
  await waitUntil(() => upstream.open.size === 0, `abort of ${label} at upstream`);
  return performance.now() - started;
}

test.each([
  ["a streamed call before upstream's head", true, false],
  ["a plain call before upstream's head", false, false],
  ["a stream that is running", true, true],
  ["a plain answer that has begun", false, true],
])("a caller who leaves %s aborts it upstream within 250 ms", async (label, stream, begun) => {
  const type = stream ? "text/event-stream" : "application/json";
  const upstream = await startScriptedUpstream((socket) => {
    if (begun)
      socket.write(
        Buffer.concat([
          Buffer.from(formatChunkedHead({ "content-type": type })),
          formatChunk(stream ? EVENT : "\n   \n"),
        ]),
      );
  });
  const gateway = await startTestGateway(upstream.baseUrl);
  for (const leave of ["destroy", "resetAndDestroy", "end"] as const) {
    const client = new RawClient(gateway.port);
    const before = upstream.seen.length;
    client.post(CHAT_PATH, buildChatBody({ stream }), AUTHORIZATION);
    await waitUntil(
      () => (begun ? client.readResponse() : upstream.seen.length > before),
      "the request at upstream",
    );
    client.socket[leave]();
    expect(await aborted(upstream, `${label} by ${leave}`)).toBeLessThan(ABORT_DEADLINE_MS);
  }
  await waitUntil(
    () => gateway.logs.filter((log) => log["outcome"] === "client_gone").length === 3,
    "three lines in the log",
  );
});

test("two hundred callers who leave at once are all aborted within 250 ms", async () => {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(Buffer.concat([Buffer.from(formatChunkedHead()), formatChunk(EVENT)])),
  );
  const gateway = await startTestGateway(upstream.baseUrl);
  const clients = Array.from({ length: 200 }, () => new RawClient(gateway.port));
  for (const client of clients) client.post(CHAT_PATH, buildChatBody({ stream: true }), AUTHORIZATION);
  await waitUntil(() => clients.every((client) => client.readResponse()), "two hundred streams", 10_000);
  for (const client of clients) client.socket.resetAndDestroy();
  expect(await aborted(upstream, "two hundred streams")).toBeLessThan(ABORT_DEADLINE_MS);
  await waitUntil(
    () => gateway.logs.filter((log) => log["outcome"] === "client_gone").length === 200,
    "two hundred lines in the log",
  );
});

test("a caller who leaves while its body is still coming is never heard of upstream", async () => {
  const upstream = await startScriptedUpstream(() => {});
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port);
  client.send(
    `POST ${CHAT_PATH} HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\nexpect: 100-continue\r\n` +
      `authorization: ${AUTHORIZATION.authorization}\r\ncontent-length: 1000\r\n\r\n`,
  );
  await waitUntil(() => client.received.includes("100 Continue"), "leave to send the body");
  client.send('{"model":');
  client.socket.resetAndDestroy();
  expect(await gateway.waitForRequestLog("the upload")).toMatchObject({ outcome: "client_gone", status: 0 });
  expect(upstream.connections).toBe(0);
});

test("requests pipelined behind a stream are let go with it", async () => {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(Buffer.concat([Buffer.from(formatChunkedHead()), formatChunk(EVENT)])),
  );
  const gateway = await startTestGateway(upstream.baseUrl, { MAX_IN_FLIGHT: "3" });
  const client = new RawClient(gateway.port);
  for (let sent = 0; sent < 3; sent++) client.post(CHAT_PATH, buildChatBody({ stream: true }), AUTHORIZATION);
  await waitUntil(() => client.readResponse()?.body.length, "the first stream");
  await waitUntil(() => upstream.seen.length >= 1, "the requests upstream");
  client.socket.resetAndDestroy();
  expect(await aborted(upstream, "the pipelined requests")).toBeLessThan(ABORT_DEADLINE_MS);
  const next = new RawClient(gateway.port);
  for (let sent = 0; sent < 3; sent++) next.post(CHAT_PATH, buildChatBody({ stream: true }), AUTHORIZATION);
  expect((await waitUntil(() => next.readResponse(), "a stream after them")).status).toBe(200);
});
