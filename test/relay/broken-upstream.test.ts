import { expect, test } from "vitest";
import { AUTHORIZATION, CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { RawClient, type RawResponse } from "../support/raw-client.ts";
import {
  formatChunk,
  formatChunkedHead,
  LAST_CHUNK,
  type Script,
  startScriptedUpstream,
} from "../support/scripted-upstream.ts";

const EVENT = 'data: {"choices":[{"delta":{"content":"né"}}]}\n\n';
const DONE = "data: [DONE]\n\n";

interface AbortedStream {
  readonly gateway: TestGateway;
  readonly client: RawClient;
  readonly response: RawResponse | undefined;
}

/** Sends one streamed chat completion and waits until its connection has ended. */
async function relayAborted(script: Script, env: Record<string, string> = {}): Promise<AbortedStream> {
  const upstream = await startScriptedUpstream(script);
  const gateway = await startTestGateway(upstream.baseUrl, env);
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, buildChatBody({ stream: true }), AUTHORIZATION);
  return { gateway, client, response: await client.waitForEnd("the aborted response") };
}

interface LastEvent {
  readonly type: string;
  readonly code: number;
  readonly metadata: { readonly reason: string };
}

function readLastEvent(response: RawResponse | undefined): LastEvent {
  const events = response?.body.toString().split("\n\n") ?? [];
  return (JSON.parse(events.at(-2)?.replace("data: ", "") ?? "") as { error: LastEvent }).error;
}

test.each([
  ["a reset", (socket) => void setTimeout(() => socket.resetAndDestroy(), 30)],
  ["an end without the last chunk", (socket) => socket.end()],
  ["an invalid chunk size", (socket) => socket.write("zz\r\n")],
] as [string, Script][])(
  "sends one error event and aborts the response when %s follows a complete event",
  async (_, endConnection: Script) => {
    const { response, gateway } = await relayAborted((socket, request) => {
      socket.write(Buffer.concat([Buffer.from(formatChunkedHead()), formatChunk(EVENT)]));
      endConnection(socket, request);
    });
    expect(response?.body.toString().startsWith(EVENT)).toBe(true);
    expect(readLastEvent(response)).toMatchObject({ type: "upstream_error" });
    expect(response?.complete).toBe(false);
    expect(response?.body.includes("[DONE]")).toBe(false);
    const log = await gateway.waitForRequestLog("the aborted stream");
    expect(log).toMatchObject({ outcome: "upstream_error", incomplete: true, status: 200, level: 40 });
  },
);

test("adds nothing to a stream that upstream aborts within an event, so that the partial event stays invalid", async () => {
  const half = EVENT + EVENT.slice(0, 20);
  const { response } = await relayAborted((socket) => {
    socket.write(Buffer.concat([Buffer.from(formatChunkedHead()), formatChunk(half)]));
    setTimeout(() => socket.resetAndDestroy(), 30);
  });
  expect(response?.body.toString()).toBe(half);
  expect(response?.complete).toBe(false);
});

test("sends a timeout error event and aborts the upstream request when a stream falls silent", async () => {
  const started = performance.now();
  const { response } = await relayAborted(
    (socket) => socket.write(Buffer.concat([Buffer.from(formatChunkedHead()), formatChunk(EVENT)])),
    {
      UPSTREAM_IDLE_TIMEOUT_MS: "500",
    },
  );
  expect(readLastEvent(response)).toMatchObject({ code: 504, metadata: { reason: "upstream_timeout" } });
  expect(performance.now() - started).toBeLessThan(3_000);
});

test("aborts a close-delimited stream without [DONE]", async () => {
  const head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
  const { response } = await relayAborted((socket) => {
    socket.write(head + EVENT);
    setTimeout(() => socket.resetAndDestroy(), 30);
  });
  expect(readLastEvent(response)).toMatchObject({ code: 502, metadata: { reason: "upstream_disconnected" } });
  expect(response?.complete).toBe(false);
});

test("cleanly ends a close-delimited stream after [DONE]", async () => {
  const upstream = await startScriptedUpstream((socket) => {
    socket.end(`HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n${EVENT}${DONE}`);
  });
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, buildChatBody({ stream: true }), AUTHORIZATION);
  expect((await client.waitForResponse("the stream")).body.toString()).toBe(EVENT + DONE);
});

test("relays the clean end of a stream without [DONE], and logs the response as incomplete", async () => {
  const upstream = await startScriptedUpstream((socket) => {
    socket.write(
      Buffer.concat([Buffer.from(formatChunkedHead()), formatChunk(EVENT), Buffer.from(LAST_CHUNK)]),
    );
  });
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, buildChatBody({ stream: true }), AUTHORIZATION);
  expect((await client.waitForResponse("the stream")).body.toString()).toBe(EVENT);
  expect(await gateway.waitForRequestLog("the stream")).toMatchObject({
    outcome: "complete",
    incomplete: true,
  });
});

test.each(["chunked", "with a length", "close-delimited"])(
  "aborts a truncated JSON response (%s)",
  async (framing) => {
    const heads: Record<string, string> = {
      chunked: formatChunkedHead({ "content-type": "application/json" }),
      "with a length": "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n",
      "close-delimited": "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n",
    };
    const part = '\n         \n{"id":"gen-1","choices":[';
    const { response } = await relayAborted((socket) => {
      socket.write(heads[framing] ?? "");
      socket.end(framing === "chunked" ? formatChunk(part) : part);
    });
    expect(response?.body.toString()).toBe(part);
    expect(response?.complete).toBe(false);
  },
);

test("resets the connection of an HTTP/1.0 client, because a normal close would mark the response as complete", async () => {
  const upstream = await startScriptedUpstream((socket) => {
    socket.write(Buffer.concat([Buffer.from(formatChunkedHead()), formatChunk(EVENT)]));
    setTimeout(() => socket.resetAndDestroy(), 50);
  });
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port);
  const body = buildChatBody({ stream: true });
  client.send(
    `POST ${CHAT_PATH} HTTP/1.0\r\nhost: gateway\r\ncontent-type: application/json\r\nauthorization: ${AUTHORIZATION.authorization}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  const response = await client.waitForEnd("the HTTP/1.0 response");
  expect(response?.headers["transfer-encoding"]).toBeUndefined();
  expect(response?.body.toString().startsWith(EVENT)).toBe(true);
  expect(client.error).toBe("ECONNRESET");
});

test("relays upstream's error event unchanged, and logs it as an upstream error", async () => {
  const body = `${EVENT}data: {"id":"gen-1","error":{"code":502,"message":"provider gone"},"choices":[]}\n\n${DONE}`;
  const upstream = await startScriptedUpstream((socket) => {
    socket.write(
      Buffer.concat([Buffer.from(formatChunkedHead()), formatChunk(body), Buffer.from(LAST_CHUNK)]),
    );
  });
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, buildChatBody({ stream: true }), AUTHORIZATION);
  expect((await client.waitForResponse("the stream")).body.toString()).toBe(body);
  expect(await gateway.waitForRequestLog("the stream")).toMatchObject({
    outcome: "upstream_error",
    status: 200,
  });
});
