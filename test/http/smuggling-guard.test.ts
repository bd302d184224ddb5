import { expect, test } from "vitest";
import { AUTHORIZATION, CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { waitUntil } from "../support/wait.ts";

const BODY = buildChatBody();
const AUTH = `authorization: ${AUTHORIZATION.authorization}\r\ncontent-type: application/json\r\n`;
/** A request that an attacker hides behind another request, so that a server reads it as the next request. */
const SMUGGLED = `POST ${CHAT_PATH} HTTP/1.1\r\nhost: g\r\n${AUTH}content-length: ${BODY.length}\r\n\r\n${BODY}`;
const CHUNKED = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`;

const head = (lines: string, start = `POST ${CHAT_PATH} HTTP/1.1`) =>
  `${start}\r\nhost: g\r\n${AUTH}${lines}\r\n`;

const ATTACKS: [title: string, bytes: string][] = [
  [
    "CL.TE",
    head(`content-length: ${CHUNKED.length + SMUGGLED.length}\r\ntransfer-encoding: chunked\r\n`) +
      CHUNKED +
      SMUGGLED,
  ],
  ["TE.CL", head(`transfer-encoding: chunked\r\ncontent-length: 4\r\n`) + CHUNKED + SMUGGLED],
  [
    "two different lengths",
    head(`content-length: ${BODY.length}\r\ncontent-length: ${BODY.length + SMUGGLED.length}\r\n`) +
      BODY +
      SMUGGLED,
  ],
  [
    "two equal lengths",
    head(`content-length: ${BODY.length}\r\ncontent-length: ${BODY.length}\r\n`) + BODY + SMUGGLED,
  ],
  ["a list of lengths", head(`content-length: ${BODY.length}, ${BODY.length}\r\n`) + BODY + SMUGGLED],
  ["a signed length", head(`content-length: +${BODY.length}\r\n`) + BODY + SMUGGLED],
  ["a hexadecimal length", head(`content-length: 0x${BODY.length.toString(16)}\r\n`) + BODY + SMUGGLED],
  ["a negative length", head(`content-length: -1\r\n`) + BODY + SMUGGLED],
  ["a length with a space in its name", head(`content-length : ${BODY.length}\r\n`) + BODY + SMUGGLED],
  ["an unknown transfer encoding", head("transfer-encoding: xchunked\r\n") + CHUNKED + SMUGGLED],
  [
    "an encoding before chunked and a length",
    head(`transfer-encoding: identity, chunked\r\ncontent-length: 3\r\n`) + CHUNKED + SMUGGLED,
  ],
  ["chunked that is not last", head("transfer-encoding: chunked, identity\r\n") + CHUNKED + SMUGGLED],
  [
    "two transfer encodings",
    head("transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n") + CHUNKED + SMUGGLED,
  ],
  ["a vertical tab before chunked", head("transfer-encoding: \u000bchunked\r\n") + CHUNKED + SMUGGLED],
  ["a folded transfer encoding", head("transfer-encoding:\r\n chunked\r\n") + CHUNKED + SMUGGLED],
  [
    "a folded header",
    head(`x-a: 1\r\n x-openrouter-title: forged\r\ncontent-length: ${BODY.length}\r\n`) + BODY + SMUGGLED,
  ],
  [
    "a bare CR in a value",
    head(`x-title: a\rx-session-id: forged\r\ncontent-length: ${BODY.length}\r\n`) + BODY + SMUGGLED,
  ],
  [
    "a bare LF as line end",
    head(`x-title: a\nx-session-id: forged\r\ncontent-length: ${BODY.length}\r\n`).replace(
      "\r\nhost",
      "\nhost",
    ) +
      BODY +
      SMUGGLED,
  ],
  ["a NUL in a value", head(`x-title: a\0b\r\ncontent-length: ${BODY.length}\r\n`) + BODY + SMUGGLED],
  ["a NUL in a name", head(`x-ti\0tle: ab\r\ncontent-length: ${BODY.length}\r\n`) + BODY + SMUGGLED],
  [
    "a chunk size of many digits",
    `${head("transfer-encoding: chunked\r\n")}1000000000000000000\r\n${BODY}${SMUGGLED}`,
  ],
  ["a chunk size with a prefix", `${head("transfer-encoding: chunked\r\n")}0x${CHUNKED}${SMUGGLED}`],
  [
    "a chunk without its line end",
    head("transfer-encoding: chunked\r\n") + CHUNKED.replace(`${BODY}\r\n`, `${BODY}XX`) + SMUGGLED,
  ],
  [
    "chunk extensions without end",
    `${head("transfer-encoding: chunked\r\n")}5;${"x".repeat(20_000)}\r\n${SMUGGLED}`,
  ],
  [
    "chunked in HTTP/1.0",
    head("transfer-encoding: chunked\r\n", `POST ${CHAT_PATH} HTTP/1.0`) + CHUNKED + SMUGGLED,
  ],
  [
    "a GET with a body",
    head(`content-length: ${SMUGGLED.length}\r\n`, "GET /openai/v1/models HTTP/1.1") + SMUGGLED,
  ],
  ["a HEAD with a chunked body", head("transfer-encoding: chunked\r\n", "HEAD /healthz HTTP/1.1") + SMUGGLED],
  ["two hosts", head(`host: other\r\ncontent-length: ${BODY.length}\r\n`) + BODY + SMUGGLED],
  [
    "no host",
    `POST ${CHAT_PATH} HTTP/1.1\r\n${AUTH}content-length: ${BODY.length}\r\n\r\n${BODY}${SMUGGLED}`,
  ],
  [
    "two keys",
    head(`authorization: Bearer sk-other\r\ncontent-length: ${BODY.length}\r\n`) + BODY + SMUGGLED,
  ],
  [
    "headers over the limit",
    head(`x-long: ${"x".repeat(20_000)}\r\ncontent-length: ${BODY.length}\r\n`) + BODY + SMUGGLED,
  ],
  [
    "a thousand headers that hide the length",
    head(`${"x-a: 1\r\n".repeat(2_100)}content-length: ${BODY.length}\r\n`) + BODY + SMUGGLED,
  ],
  [
    "a thousand headers that hide a second key",
    head(
      `content-length: ${BODY.length}\r\n${"x-a: 1\r\n".repeat(1_100)}authorization: Bearer sk-other\r\n`,
    ) +
      BODY +
      SMUGGLED,
  ],
];

test.each(ATTACKS)(
  "never forwards %s, and never reads the bytes after it as a request",
  async (title, bytes) => {
    const upstream = await startScriptedUpstream((socket) =>
      socket.write(formatResponse(200, { "content-type": "application/json" }, "{}")),
    );
    const gateway = await startTestGateway(upstream.baseUrl);
    const client = new RawClient(gateway.port);
    client.send(Buffer.from(bytes, "latin1"));
    const response = await client.waitForEnd(title);
    expect([undefined, 400, 415, 431]).toContain(response?.status);
    expect(client.received.toString("latin1").match(/HTTP\/1\.1 \d/g)?.length ?? 0).toBeLessThanOrEqual(1);
    expect(upstream.seen.length).toBe(0);
  },
);

test("accepts 100 headers, and refuses 101 headers with 431", async () => {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(formatResponse(200, { "content-type": "application/json" }, "{}")),
  );
  const gateway = await startTestGateway(upstream.baseUrl);
  const send = (headers: number): RawClient => {
    const client = new RawClient(gateway.port);
    // The request has four other headers.
    client.send(head("x-a: 1\r\n".repeat(headers - 4) + `content-length: ${BODY.length}\r\n`) + BODY);
    return client;
  };
  expect((await send(100).waitForResponse("100 headers")).status).toBe(200);
  const refused = await send(101).waitForResponse("101 headers");
  expect([refused.status, JSON.parse(refused.body.toString())]).toMatchObject([
    431,
    { error: { code: "headers_too_large", message: "The request has more than 100 headers; send fewer." } },
  ]);
  expect(upstream.seen.length).toBe(1);
});

test("responds to each of three valid pipelined requests", async () => {
  let count = 0;
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(formatResponse(200, { "content-type": "application/json" }, `{"count":${++count}}`)),
  );
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port);
  client.send(SMUGGLED + SMUGGLED + SMUGGLED);
  await waitUntil(() => client.received.includes('"count":3'), "three responses");
  expect(upstream.seen.length).toBe(3);
});

test("drops a client's chunk extension and trailers, and forwards the body with a length", async () => {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(formatResponse(200, { "content-type": "application/json" }, "{}")),
  );
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port);
  client.send(
    head("transfer-encoding: chunked\r\n") +
      `${BODY.length.toString(16)};a=b\r\n${BODY}\r\n0\r\nx-title: forged\r\n\r\n`,
  );
  expect((await client.waitForResponse("the chunked request")).status).toBe(200);
  expect(upstream.seen[0]?.body.toString()).toBe(BODY);
  expect(upstream.seen[0]?.headers).toMatchObject({ "content-length": String(BODY.length) });
  expect(upstream.seen[0]?.headers["x-title"]).toBeUndefined();
  expect(upstream.seen[0]?.headers["transfer-encoding"]).toBeUndefined();
});
