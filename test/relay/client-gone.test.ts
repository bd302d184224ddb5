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
import { measureRunningMs, waitUntil } from "../support/wait.ts";

const ABORT_DEADLINE_MS = 250;
const EVENT = 'data: {"choices":[]}\n\n';

/** Waits until upstream has no connection left. @returns the time of the wait in ms. */
function measureAbortMs(upstream: ScriptedUpstream, label: string): Promise<number> {
  return measureRunningMs(waitUntil(() => upstream.open.size === 0, `abort of ${label} at upstream`));
}

test.each([
  ["before the head of a stream", true, false],
  ["before the head of a JSON response", false, false],
  ["in the middle of a stream", true, true],
  ["in the middle of a JSON response", false, true],
])(
  "aborts the upstream request within 250 ms when the client disconnects %s",
  async (moment, stream, hasBegun) => {
    const type = stream ? "text/event-stream" : "application/json";
    const upstream = await startScriptedUpstream((socket) => {
      if (hasBegun)
        socket.write(
          Buffer.concat([
            Buffer.from(formatChunkedHead({ "content-type": type })),
            formatChunk(stream ? EVENT : "\n   \n"),
          ]),
        );
    });
    const gateway = await startTestGateway(upstream.baseUrl);
    for (const method of ["destroy", "resetAndDestroy", "end"] as const) {
      const client = new RawClient(gateway.port);
      const before = upstream.seen.length;
      client.post(CHAT_PATH, buildChatBody({ stream }), AUTHORIZATION);
      await waitUntil(
        () => (hasBegun ? client.readResponse() : upstream.seen.length > before),
        "the request at upstream",
      );
      client.socket[method]();
      expect(await measureAbortMs(upstream, `the request after ${method} ${moment}`)).toBeLessThan(
        ABORT_DEADLINE_MS,
      );
    }
    await waitUntil(
      () => gateway.logs.filter((log) => log["outcome"] === "client_gone").length === 3,
      "three lines in the log",
    );
  },
);

test("aborts 200 upstream requests within 250 ms when 200 clients disconnect at once", async () => {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(Buffer.concat([Buffer.from(formatChunkedHead()), formatChunk(EVENT)])),
  );
  const gateway = await startTestGateway(upstream.baseUrl);
  const clients = Array.from({ length: 200 }, () => new RawClient(gateway.port));
  for (const client of clients) client.post(CHAT_PATH, buildChatBody({ stream: true }), AUTHORIZATION);
  await waitUntil(() => clients.every((client) => client.readResponse()), "two hundred streams");
  for (const client of clients) client.socket.resetAndDestroy();
  expect(await measureAbortMs(upstream, "two hundred streams")).toBeLessThan(ABORT_DEADLINE_MS);
  await waitUntil(
    () => gateway.logs.filter((log) => log["outcome"] === "client_gone").length === 200,
    "two hundred lines in the log",
  );
});

test("sends nothing upstream when the client disconnects before its body is complete", async () => {
  const upstream = await startScriptedUpstream(() => {});
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port);
  client.send(
    `POST ${CHAT_PATH} HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\nexpect: 100-continue\r\n` +
      `authorization: ${AUTHORIZATION.authorization}\r\ncontent-length: 1000\r\n\r\n`,
  );
  await waitUntil(() => client.received.includes("100 Continue"), "100 Continue");
  client.send('{"model":');
  client.socket.resetAndDestroy();
  expect(await gateway.waitForRequestLog("the upload")).toMatchObject({ outcome: "client_gone", status: 0 });
  expect(upstream.connections).toBe(0);
});

test("aborts a stream and the requests pipelined after it when the client disconnects", async () => {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(Buffer.concat([Buffer.from(formatChunkedHead()), formatChunk(EVENT)])),
  );
  const gateway = await startTestGateway(upstream.baseUrl, { MAX_IN_FLIGHT: "3" });
  const client = new RawClient(gateway.port);
  for (let sent = 0; sent < 3; sent++) client.post(CHAT_PATH, buildChatBody({ stream: true }), AUTHORIZATION);
  await waitUntil(() => client.readResponse()?.body.length, "the first stream");
  await waitUntil(() => upstream.seen.length >= 1, "the requests upstream");
  client.socket.resetAndDestroy();
  expect(await measureAbortMs(upstream, "the pipelined requests")).toBeLessThan(ABORT_DEADLINE_MS);
  const next = new RawClient(gateway.port);
  for (let sent = 0; sent < 3; sent++) next.post(CHAT_PATH, buildChatBody({ stream: true }), AUTHORIZATION);
  expect((await waitUntil(() => next.readResponse(), "the next stream")).status).toBe(200);
});
