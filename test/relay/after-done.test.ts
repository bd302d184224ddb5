import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { AUTHORIZATION, CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import {
  formatChunk,
  formatChunkedHead,
  LAST_CHUNK,
  type Script,
  startScriptedUpstream,
} from "../support/scripted-upstream.ts";
import { measureRunningMs, waitUntil } from "../support/wait.ts";

const EVENT = 'data: {"choices":[{"delta":{"content":"né"}}]}\n\n';
const DONE = "data: [DONE]\n\n";

/** Starts a gateway whose upstream runs `script`, and requests a stream. */
async function startStreamFrom(script: Script, env: Record<string, string> = {}) {
  const upstream = await startScriptedUpstream(script);
  const gateway = await startTestGateway(upstream.baseUrl, env);
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, buildChatBody({ stream: true }), AUTHORIZATION);
  return { upstream, gateway, client };
}

/** Returns a script that sends a head and one chunk, and then runs `next`. */
const sendThen =
  (body: string, next: Script): Script =>
  (socket, request) => {
    socket.write(Buffer.concat([Buffer.from(formatChunkedHead()), formatChunk(body)]));
    next(socket, request);
  };

test.each([
  ["a reset", DONE, (socket) => void setTimeout(() => socket.resetAndDestroy(), 50)],
  ["an end without the last chunk", DONE, (socket) => socket.end()],
  ["an invalid chunk size", DONE, (socket) => socket.write("zz\r\n")],
  ["an end, without the optional space", "data:[DONE]\n\n", (socket) => socket.end()],
  ["an end after CRLF", "data: [DONE]\r\n\r\n", (socket) => socket.end()],
  ["an end after a comment", `${DONE}: bye\n\n`, (socket) => socket.end()],
  ["an end before the blank line", "data: [DONE]\n", (socket) => socket.end()],
] as [string, string, Script][])(
  "treats a stream as complete after [DONE], despite %s",
  async (_, done, endConnection) => {
    const { gateway, client } = await startStreamFrom(sendThen(EVENT + done, endConnection));
    expect((await client.waitForResponse("the stream")).body.toString()).toBe(EVENT + done);
    const log = await gateway.waitForRequestLog("the stream");
    expect(log).toMatchObject({ outcome: "complete", status: 200, level: 30 });
    expect([log["error"], log["incomplete"]]).toEqual([undefined, undefined]);
  },
);

test.each(["data: [DONE", 'data: {"text":"data: [DONE]"}\n\n', 'data: {"text":"\\ndata: [DONE]\\n\\n'])(
  "aborts a stream that ends with %j, which is not a [DONE] line",
  async (end) => {
    const { gateway, client } = await startStreamFrom(sendThen(EVENT + end, (socket) => socket.end()));
    expect((await client.waitForEnd("the aborted stream"))?.complete).toBe(false);
    expect(await gateway.waitForRequestLog("the stream")).toMatchObject({ error: "upstream_disconnected" });
  },
);

test("logs an error event as an upstream error when the connection ends after [DONE]", async () => {
  const error = 'data: {"error": {"code": 502, "message": "provider gone"}, "choices": []}\n\n';
  const { gateway, client } = await startStreamFrom(sendThen(error + DONE, (socket) => socket.end()));
  expect((await client.waitForResponse("the stream")).body.toString()).toBe(error + DONE);
  expect(await gateway.waitForRequestLog("the stream")).toMatchObject({ outcome: "upstream_error" });
});

test.each([
  ["in one chunk", [DONE]],
  ["in pieces", ["data: [DO", "NE]", "\n", "\n"]],
])(
  "ends a stream within 4 s when upstream falls silent after a [DONE] that arrives %s",
  async (_, pieces) => {
    const { upstream, gateway, client } = await startStreamFrom((socket) => {
      socket.write(Buffer.concat([Buffer.from(formatChunkedHead()), formatChunk(EVENT)]));
      pieces.forEach((piece, index) => void setTimeout(() => socket.write(formatChunk(piece)), 20 * index));
    });
    const response = client.waitForResponse("the stream");
    expect(await measureRunningMs(response)).toBeLessThan(4_000);
    expect((await response).body.toString()).toBe(EVENT + DONE);
    expect(await gateway.waitForRequestLog("the stream")).toMatchObject({ outcome: "complete", status: 200 });
    await waitUntil(() => upstream.open.size === 0, "upstream's connection to be closed");
  },
);

test("waits for the blank line after [DONE] before it ends a stream", async () => {
  const { client } = await startStreamFrom((socket) => {
    socket.write(Buffer.concat([Buffer.from(formatChunkedHead()), formatChunk(`${EVENT}data: [DONE]\n`)]));
    setTimeout(() => socket.write(Buffer.concat([formatChunk("\n"), Buffer.from(LAST_CHUNK)])), 1_500);
  });
  expect((await client.waitForResponse("the stream")).body.toString()).toBe(EVENT + DONE);
});

test("relays bytes that arrive after [DONE] while the event loop is blocked", async () => {
  const comment = ": still here\n\n";
  const { upstream, client } = await startStreamFrom((socket) => {
    socket.write(Buffer.concat([Buffer.from(formatChunkedHead()), formatChunk(EVENT + DONE)]));
  });
  await waitUntil(() => client.readResponse()?.body.includes(DONE), "[DONE]");
  // After an immediate, the event loop runs due timers before it reads from sockets.
  await new Promise(setImmediate);
  for (const socket of upstream.open)
    socket.write(Buffer.concat([formatChunk(comment), Buffer.from(LAST_CHUNK)]));
  const end = performance.now() + 1_500;
  while (performance.now() < end);
  expect((await client.waitForResponse("the stream")).body.toString()).toBe(EVENT + DONE + comment);
});

test("relays everything that upstream sends after [DONE]", async () => {
  const comment = ": still here\n\n";
  const { client } = await startStreamFrom((socket) => {
    socket.write(Buffer.concat([Buffer.from(formatChunkedHead()), formatChunk(EVENT + DONE)]));
    for (const at of [600, 1_200]) setTimeout(() => socket.write(formatChunk(comment)), at);
    setTimeout(() => socket.write(LAST_CHUNK), 1_300);
  });
  expect((await client.waitForResponse("the stream")).body.toString()).toBe(EVENT + DONE + comment + comment);
});

test("ends a stream cleanly at shutdown if it has sent [DONE]", async () => {
  const { gateway, client } = await startStreamFrom(sendThen(EVENT + DONE, () => {}));
  await waitUntil(() => client.readResponse()?.body.includes(DONE), "[DONE]");
  await gateway.stop({ delayMs: 0, graceMs: 0 });
  expect((await client.waitForEnd("the stream"))?.complete).toBe(true);
});

test.each([
  ["text/event-stream", EVENT + DONE],
  ["application/json", "{}"],
])(
  "treats an encoded response of type %s as complete when the connection ends cleanly",
  async (type, text) => {
    const encoded = gzipSync(text);
    const { gateway, client } = await startStreamFrom((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\ncontent-encoding: gzip\r\n\r\n`);
      socket.end(encoded);
    });
    const response = await client.waitForResponse("the encoded response");
    expect([response.headers["content-encoding"], response.body]).toEqual(["gzip", encoded]);
    const log = await gateway.waitForRequestLog("the encoded response");
    expect([log["outcome"], log["incomplete"]]).toEqual(["complete", undefined]);
  },
);

test("inspects a response whose Content-Encoding is identity or empty", async () => {
  const { gateway, client } = await startStreamFrom((socket) => {
    const headers = "content-type: text/event-stream\r\ncontent-encoding: Identity\r\ncontent-encoding:";
    socket.end(`HTTP/1.1 200 OK\r\n${headers}\r\n\r\n${EVENT}`);
  });
  expect((await client.waitForEnd("the aborted stream"))?.complete).toBe(false);
  expect(await gateway.waitForRequestLog("the stream")).toMatchObject({ error: "upstream_disconnected" });
});

test("adds no error event to an encoded stream that upstream aborts", async () => {
  const encoded = gzipSync(EVENT);
  const { client } = await startStreamFrom((socket) => {
    socket.write(formatChunkedHead({ "content-type": "text/event-stream", "content-encoding": "gzip" }));
    socket.write(formatChunk(encoded));
    setTimeout(() => socket.resetAndDestroy(), 50);
  });
  const response = await client.waitForEnd("the aborted stream");
  expect([response?.complete, response?.body]).toEqual([false, encoded]);
});

test.each([`${EVENT}data:[DONE]`, `${EVENT}data: [DONE]\n\n: bye\n\n`, `${EVENT}data: [DONE]\r\n\r\n`])(
  "treats a close-delimited stream as complete when it ends with %j",
  async (body) => {
    const { client } = await startStreamFrom((socket) =>
      socket.end(`HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n${body}`),
    );
    expect((await client.waitForResponse("the stream")).body.toString()).toBe(body);
  },
);
