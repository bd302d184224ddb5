import { expect, test } from "vitest";
import { sendRequest } from "../support/send-request.ts";
import { AUTHORIZATION, CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { DONE, EVENT, startHeldUpstream, openStream } from "../support/held-upstream.ts";
import { RawClient } from "../support/raw-client.ts";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { measureRunningMs, waitUntil } from "../support/wait.ts";

const OK_RESPONSE = formatResponse(200, { "content-type": "application/json" }, "{}");
const MEGABYTE = Buffer.alloc(1_048_576, 0x20);

function head(headers: Record<string, string>): string {
  const lines = Object.entries({ host: "gateway", "content-type": "application/json", ...headers });
  return `POST ${CHAT_PATH} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
}

test.each([
  ["an unknown key", 401, { "content-length": "50000000", authorization: "Bearer sk-wrong" }],
  ["an unknown key and no length", 401, { "transfer-encoding": "chunked", authorization: "Bearer sk-wrong" }],
  ["a length over the limit", 413, { "content-length": "500000000", ...AUTHORIZATION }],
  ["a compressed body", 415, { "content-length": "50000000", "content-encoding": "br", ...AUTHORIZATION }],
])(
  "refuses a request with %s before its body is sent, and closes the connection",
  async (title, status, headers) => {
    const upstream = await startScriptedUpstream((socket) => socket.write(OK_RESPONSE));
    const gateway = await startTestGateway(upstream.baseUrl);
    const client = new RawClient(gateway.port);
    client.send(head(headers));
    const response = await client.waitForResponse(title);
    expect(response.status).toBe(status);
    expect(response.headers["connection"]).toBe("close");
    await client.waitForEnd(title);
    expect(client.error).toBeUndefined();
  },
);

test("refuses a client in the middle of a long upload, and reads little of the upload", async () => {
  const upstream = await startScriptedUpstream(() => {});
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port);
  client.send(head({ "content-length": String(50 * MEGABYTE.length), authorization: "Bearer sk-wrong" }));
  for (let sent = 0; sent < 50; sent++) client.send(MEGABYTE);
  expect((await client.waitForResponse("the refused upload")).status).toBe(401);
  // The bytes that have left the client are in the kernel's socket buffers. The gateway does not read the rest.
  expect(client.socket.bytesWritten - client.socket.writableLength).toBeLessThan(12 * MEGABYTE.length);
});

test("half-closes the connection when it refuses a long body, and closes the connection when the whole body has arrived", async () => {
  const upstream = await startScriptedUpstream((socket) => socket.write(OK_RESPONSE));
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port, { allowHalfOpen: true });
  let hasEnded = false;
  client.socket.on("end", () => (hasEnded = true));
  const body = Buffer.alloc(300_000, 0x20);
  client.send(head({ "content-length": String(body.length), authorization: "Bearer sk-wrong" }));
  client.send(body.subarray(0, 100_000));
  expect((await client.waitForResponse("the refusal")).status).toBe(401);
  expect(await measureRunningMs(waitUntil(() => hasEnded, "the FIN after the refusal"))).toBeLessThan(1_000);
  client.send(body.subarray(100_000));
  const record = await gateway.waitForRequestLog("the refused request");
  expect(record).toMatchObject({ status: 401, outcome: "rejected" });
  expect(record["duration_ms"]).toBeLessThan(1_500);
  expect(client.error).toBeUndefined();
});

test("executes no request that follows a refused request with a long body on the same connection", async () => {
  const upstream = await startScriptedUpstream((socket) => socket.write(OK_RESPONSE));
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port, { allowHalfOpen: true });
  client.send(head({ "content-length": "100000", authorization: "Bearer sk-wrong" }));
  await client.waitForResponse("the refusal");
  const next = buildChatBody();
  client.send(
    Buffer.concat([
      Buffer.alloc(100_000, 0x20),
      Buffer.from(head({ "content-length": String(next.length), ...AUTHORIZATION }) + next),
    ]),
  );
  client.socket.end();
  await client.waitForEnd("the connection");
  // If the second request were executed, upstream would see it before the next request, which is sent later.
  expect((await sendRequest(gateway.port)).status).toBe(200);
  expect(upstream.seen).toHaveLength(1);
});

test("does not truncate the response of an earlier request when a later request on the connection is refused", async () => {
  const { upstream, finish } = await startHeldUpstream();
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = await openStream(gateway.port);
  client.send(head({ "content-length": "100000", authorization: "Bearer sk-wrong" }));
  // When the gateway responds to this later request, it has already read the refused request.
  expect((await sendRequest(gateway.port)).status).toBe(200);
  finish();
  const response = await client.waitForResponse("the stream");
  expect(response.body.toString()).toBe(EVENT + DONE);
  await waitUntil(() => client.received.includes("HTTP/1.1 401"), "the refusal after the stream");
});

test("keeps the connection of a refused request with a short body", async () => {
  const upstream = await startScriptedUpstream((socket) => socket.write(OK_RESPONSE));
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, buildChatBody(), { authorization: "Bearer sk-wrong" });
  expect((await client.waitForResponse("the refusal")).headers["connection"]).toBe("keep-alive");
  const refusal = client.received.length;
  client.post(CHAT_PATH, buildChatBody(), AUTHORIZATION);
  await waitUntil(
    () => client.received.subarray(refusal).includes("200 OK"),
    "a response on the same connection",
  );
});

test("sends 100 Continue to an admitted request, and never before a refusal", async () => {
  const upstream = await startScriptedUpstream((socket) => socket.write(OK_RESPONSE));
  const gateway = await startTestGateway(upstream.baseUrl);
  const refused = new RawClient(gateway.port);
  const body = buildChatBody();
  refused.send(head({ expect: "100-continue", "content-length": String(body.length) }));
  expect((await refused.waitForResponse("the refusal")).status).toBe(401);
  expect(refused.received.includes("100 Continue")).toBe(false);
  const tooLong = new RawClient(gateway.port);
  tooLong.send(head({ expect: "100-continue", "content-length": "500000000", ...AUTHORIZATION }));
  expect((await tooLong.waitForResponse("the refusal of its length")).status).toBe(413);
  expect(tooLong.received.includes("100 Continue")).toBe(false);
  const accepted = new RawClient(gateway.port);
  accepted.send(head({ expect: "100-continue", "content-length": String(body.length), ...AUTHORIZATION }));
  await waitUntil(() => accepted.received.includes("100 Continue"), "100 Continue");
  accepted.send(body);
  expect((await accepted.waitForResponse("the response")).status).toBe(200);
});

test("refuses two Authorization headers, because proxies disagree on which of them counts", async () => {
  const gateway = await startTestGateway("http://127.0.0.1:9/api/v1");
  const client = new RawClient(gateway.port);
  const body = buildChatBody();
  client.send(
    head({ "content-length": String(body.length), ...AUTHORIZATION }).replace(
      "\r\n\r\n",
      "\r\nAuthorization: Bearer sk-2\r\n\r\n",
    ) + body,
  );
  expect((await client.waitForResponse("two keys")).status).toBe(400);
});

test("refuses a request without a Host header with an OpenAI error and a request id", async () => {
  const gateway = await startTestGateway("http://127.0.0.1:9/api/v1");
  const client = new RawClient(gateway.port);
  client.send("GET /healthz HTTP/1.1\r\n\r\n");
  const response = await client.waitForResponse("no host");
  expect([response.status, JSON.parse(response.body.toString())]).toMatchObject([
    400,
    { error: { code: "bad_request" } },
  ]);
  expect(response.headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
});

test.each([
  ["invalid HTTP", "GET / HTP/1.1\r\n\r\n", 400, "bad_request"],
  [
    "headers that are too long",
    `GET /healthz HTTP/1.1\r\nhost: g\r\nx-long: ${"x".repeat(20_000)}\r\n\r\n`,
    431,
    "headers_too_large",
  ],
])(
  "responds to %s with an OpenAI error, logs the error, and closes the connection",
  async (title, bytes, status, code) => {
    const gateway = await startTestGateway("http://127.0.0.1:9/api/v1");
    const client = new RawClient(gateway.port);
    client.send(bytes);
    const response = await client.waitForEnd(title);
    expect(response?.status).toBe(status);
    expect(JSON.parse(response?.body.toString() ?? "")).toMatchObject({
      error: { code, type: "invalid_request_error", param: null },
    });
    expect(await gateway.waitForRequestLog(title)).toMatchObject({
      status,
      outcome: "rejected",
      request_id: response?.headers["x-request-id"],
    });
  },
);

test("aborts a running response instead of writing into it when garbage follows its request", async () => {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n"),
  );
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, buildChatBody({ stream: true }), AUTHORIZATION);
  await waitUntil(() => client.readResponse()?.body.includes("data: 1"), "the stream");
  client.send("\u0000\u0001 not HTTP\r\n\r\n");
  const response = await client.waitForEnd("the stream");
  expect(response?.complete).toBe(false);
  expect(response?.body.toString()).toBe("data: 1\n\n");
  await waitUntil(() => upstream.open.size === 0, "the upstream request to be aborted");
});

test("ignores an unknown expectation, and never sends 100 Continue to an HTTP/1.0 client", async () => {
  const upstream = await startScriptedUpstream((socket) => socket.write(OK_RESPONSE));
  const gateway = await startTestGateway(upstream.baseUrl);
  expect((await sendRequest(gateway.port, { headers: { expect: "the-unexpected" } })).status).toBe(200);
  const old = new RawClient(gateway.port);
  const body = buildChatBody();
  old.send(
    `POST ${CHAT_PATH} HTTP/1.0\r\nexpect: 100-continue\r\ncontent-type: application/json\r\n` +
      `authorization: ${AUTHORIZATION.authorization}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  await old.waitForEnd("the HTTP/1.0 response");
  expect(old.received.includes("100 Continue")).toBe(false);
  expect(old.received.includes("200 OK")).toBe(true);
});
