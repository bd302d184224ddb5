import { expect, test } from "vitest";
import { AUTHORIZATION, CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { sendRequest } from "../support/send-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import {
  formatChunk,
  formatChunkedHead,
  LAST_CHUNK,
  formatResponse,
  startScriptedUpstream,
} from "../support/scripted-upstream.ts";

const JSON_TYPE = { "content-type": "application/json" };
const STREAM_TYPE = { "content-type": "text/event-stream; charset=utf-8" };

/** Starts a gateway in front of an upstream that sends these bytes and then ends the connection. */
async function startGateway(bytes: string | Buffer) {
  const upstream = await startScriptedUpstream((socket) => socket.end(bytes));
  return startTestGateway(upstream.baseUrl);
}

/** Formats a close-delimited response: it ends when its connection closes (RFC 9112, section 6.3). */
const formatCloseDelimited = (body: string, type = "application/json"): string =>
  `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\n\r\n${body}`;

test.each(["{}", "[1]\r\n", `{"a":"${"b".repeat(300)}"}`, `{"a":1}${" \n".repeat(20)}`])(
  "treats a close-delimited response as complete when it ends like a JSON value: %j",
  async (body) => {
    const gateway = await startGateway(formatCloseDelimited(body));
    expect((await sendRequest(gateway.port)).body.toString()).toBe(body);
    expect(await gateway.waitForRequestLog("the response")).toMatchObject({ outcome: "complete" });
  },
);

test.each(['{"a":"b"', '{"a":{},', '{"a":[]x', "{} x", `{}${"x".repeat(100)}`])(
  "aborts a close-delimited response when it does not end like a JSON value: %j",
  async (body) => {
    const gateway = await startGateway(formatCloseDelimited(body));
    const client = new RawClient(gateway.port);
    client.post(CHAT_PATH, buildChatBody(), AUTHORIZATION);
    const response = await client.waitForEnd("the aborted response");
    expect([response?.complete, response?.body.toString()]).toEqual([false, body]);
    expect(await gateway.waitForRequestLog("the aborted response")).toMatchObject({
      outcome: "upstream_error",
      error: "upstream_disconnected",
      incomplete: true,
    });
  },
);

test.each(["identity", "gzip", "chunked, gzip"])(
  "aborts a truncated document when its last transfer coding is not chunked: %s",
  async (coding) => {
    const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: ${coding}\r\n\r\n`;
    const gateway = await startGateway(`${head}{"id":"gen-1","usage":{"cost":1}`);
    const client = new RawClient(gateway.port);
    client.post(CHAT_PATH, buildChatBody(), AUTHORIZATION);
    expect((await client.waitForEnd("the aborted response"))?.complete).toBe(false);
    expect(await gateway.waitForRequestLog("the aborted response")).toMatchObject({
      error: "upstream_disconnected",
      incomplete: true,
    });
  },
);

test("aborts a long close-delimited JSON document that is truncated at any byte, and relays the whole document", async () => {
  const inner = { a: [{ b: {} }, [[]]], "}": '\\"}', usage: { prompt_tokens: 1, cost: 0 } };
  const document = Buffer.from(
    JSON.stringify({ id: "gen-1", pad: "x".repeat(70_000), inner, list: [inner] }),
  );
  const upstream = await startScriptedUpstream((socket, { body }) => {
    const { seed } = JSON.parse(body.toString()) as { seed: number };
    socket.write(formatCloseDelimited(""));
    socket.end(document.subarray(0, seed));
  });
  const gateway = await startTestGateway(upstream.baseUrl);
  for (let length = 70_020; length <= document.length; length++) {
    const client = new RawClient(gateway.port);
    client.post(CHAT_PATH, buildChatBody({ seed: length }), AUTHORIZATION);
    if (length === document.length) await client.waitForResponse("the whole document");
    else await client.waitForEnd(`the document truncated at ${length}`);
    const response = client.readResponse();
    expect([response?.complete, response?.body.equals(document.subarray(0, length))]).toEqual([
      length === document.length,
      true,
    ]);
    client.socket.destroy();
  }
});

test.each([
  ["a length", formatResponse(200, JSON_TYPE, '"text"')],
  [
    "chunks",
    Buffer.concat([
      Buffer.from(formatChunkedHead(JSON_TYPE)),
      formatChunk('"text"'),
      Buffer.from(LAST_CHUNK),
    ]),
  ],
])(
  "treats a response with %s as complete when its framing is complete, whatever its body is",
  async (_, bytes) => {
    const gateway = await startGateway(bytes);
    expect((await sendRequest(gateway.port)).body.toString()).toBe('"text"');
    const log = await gateway.waitForRequestLog("the response");
    expect(log).toMatchObject({ outcome: "complete", bytes_out: 6 });
    expect(log["incomplete"] ?? false).toBe(false);
  },
);

test("recognizes a stream whose content type has parameters, and its [DONE]", async () => {
  const gateway = await startGateway(formatResponse(200, STREAM_TYPE, "data: 1\n\ndata: [DONE]\n\n"));
  const { headers } = await sendRequest(gateway.port);
  expect(headers).toMatchObject({ "cache-control": "no-cache" });
  const log = await gateway.waitForRequestLog("the stream");
  expect(log).toMatchObject({ outcome: "complete" });
  expect(log["incomplete"] ?? false).toBe(false);
});

test("sends an error event when the connection ends a stream before [DONE]", async () => {
  const gateway = await startGateway(formatCloseDelimited("data: 1\n\n", "text/event-stream"));
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, buildChatBody({ stream: true }), AUTHORIZATION);
  const response = await client.waitForEnd("the aborted stream");
  expect(response?.body.toString()).toContain(
    '"message":"OpenRouter closed the connection before its response was complete; the request may have been billed."',
  );
});

test("keeps upstream's cache-control, and adds none to a response that is not a stream", async () => {
  const own = { ...STREAM_TYPE, "cache-control": "no-store" };
  const stream = await startGateway(formatResponse(200, own, "data: [DONE]\n\n"));
  expect((await sendRequest(stream.port)).headers["cache-control"]).toBe("no-store");
  const plain = await startGateway(formatResponse(200, JSON_TYPE, "{}"));
  expect((await sendRequest(plain.port)).headers["cache-control"]).toBeUndefined();
});

test("logs a 200 with an error body as an upstream error, but not a 200 that only quotes an error in its content", async () => {
  const failed = await startGateway(formatResponse(200, JSON_TYPE, '{"id":"gen-1","error":{"code":502}}'));
  await sendRequest(failed.port);
  expect(await failed.waitForRequestLog("the error")).toMatchObject({
    status: 200,
    outcome: "upstream_error",
  });
  const quoting = await startGateway(
    formatResponse(200, JSON_TYPE, String.raw`{"content":"\"error\":{}","error":null}`),
  );
  await sendRequest(quoting.port);
  expect(await quoting.waitForRequestLog("the quote")).toMatchObject({ status: 200, outcome: "complete" });
});

test.each([400, 500])(
  "logs a response of status %i as an upstream error, whatever its body",
  async (status) => {
    const gateway = await startGateway(formatResponse(status, { "content-type": "text/plain" }, "no"));
    expect((await sendRequest(gateway.port)).body.toString()).toBe("no");
    expect(await gateway.waitForRequestLog("the error")).toMatchObject({ status, outcome: "upstream_error" });
  },
);

test.each([
  ["logs", 128],
  ["does not log", 129],
])("%s a generation id of %i characters", async (_, length) => {
  const id = "g".repeat(length);
  const gateway = await startGateway(formatResponse(200, { ...JSON_TYPE, "x-generation-id": id }, "{}"));
  const { headers } = await sendRequest(gateway.port);
  expect(headers["x-generation-id"]).toBe(id);
  const log = await gateway.waitForRequestLog("the response");
  expect(log["generation_id"]).toBe(length > 128 ? undefined : id);
});

test("logs the tokens and the cost of JSON responses and of streams", async () => {
  const usage = '"usage":{"prompt_tokens":3,"completion_tokens":5,"cost":0.25}';
  for (const [type, body] of [
    [JSON_TYPE, `{${usage}}`],
    [STREAM_TYPE, `data: {${usage}}\n\ndata: [DONE]\n\n`],
  ] as const) {
    const gateway = await startGateway(formatResponse(200, type, body));
    await sendRequest(gateway.port);
    const log = JSON.stringify(await gateway.waitForRequestLog("the response"));
    for (const part of [":3,", ":5,", ":0.25"]) expect(log).toContain(part);
  }
});
