import { expect, test } from "vitest";
import { AUTHORIZATION, CHAT_PATH, chatBody } from "../support/chat.ts";
import { startTestGateway } from "../support/gateway.ts";
import { EVENT, startHeldUpstream } from "../support/held-upstream.ts";
import { RawClient } from "../support/raw-client.ts";
import {
  chunk,
  chunkedHead,
  LAST_CHUNK,
  responseBytes,
  startScriptedUpstream,
} from "../support/scripted-upstream.ts";
import { until, within } from "../support/until.ts";
import { ask } from "../support/ask.ts";

const JSON_TYPE = { "content-type": "application/json" };

test("garbage behind two pipelined requests never ends up inside the second answer", async () => {
  const { upstream } = await startHeldUpstream();
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, chatBody(), AUTHORIZATION);
  client.post(CHAT_PATH, chatBody({ stream: true }), AUTHORIZATION);
  await until(() => client.received.includes(EVENT), "the stream behind the first answer");
  client.send("GARBAGE\r\n\r\n");
  await client.ended("the connection");
  expect(client.received.toString().match(/HTTP\/1\.1 /g)?.length).toBe(2);
  expect(client.received.includes("bad_request")).toBe(false);
  await until(() => upstream.open.size <= 1, "upstream to be let go");
});

test("garbage behind a request that still waits for upstream is answered once, and upstream is aborted", async () => {
  const upstream = await startScriptedUpstream(() => {});
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, chatBody(), AUTHORIZATION);
  await until(() => upstream.seen.length === 1, "the request at upstream");
  client.send("GARBAGE\r\n\r\n");
  const response = await client.ended("the refusal");
  expect([response?.status, response?.headers["connection"]]).toEqual([400, "close"]);
  await until(() => upstream.open.size === 0, "upstream to be let go");
  expect(await gateway.requestLog("the refused request")).toMatchObject({ status: 400, outcome: "rejected" });
});

test.each([
  ["content types", "content-type: application/json\r\ncontent-type: application/json\r\n"],
  [
    "connection headers",
    "content-type: application/json\r\nconnection: keep-alive\r\nconnection: x-hop\r\nx-hop: 1\r\n",
  ],
])("an answer of upstream's with two %s is relayed", async (_, lines) => {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(`HTTP/1.1 200 OK\r\n${lines}content-length: 2\r\n\r\n{}`),
  );
  const gateway = await startTestGateway(upstream.baseUrl);
  const response = await ask(gateway.port);
  expect([response.status, response.body.toString(), response.headers["x-hop"]]).toEqual([
    200,
    "{}",
    undefined,
  ]);
});

test("an answer that was asked for before the drain says in it that its connection will close", async () => {
  const answers: (() => void)[] = [];
  const upstream = await startScriptedUpstream((socket) => {
    answers.push(() => socket.write(responseBytes(200, JSON_TYPE, "{}")));
  });
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, chatBody(), AUTHORIZATION);
  await until(() => upstream.seen.length === 1, "the request at upstream");
  const stopped = gateway.stop({ drainMs: 100, graceMs: 5_000 });
  answers.forEach((answer) => answer());
  expect((await client.whole("the answer")).headers["connection"]).toBe("close");
  await within(stopped, "the gateway to stop", 2_000);
});

test("a slow reader gets the whole of an answer that ended before the gateway closed", async () => {
  const long = Buffer.alloc(12_000_000, 0x61);
  const upstream = await startScriptedUpstream((socket) => {
    socket.write(
      Buffer.concat([
        Buffer.from(chunkedHead()),
        chunk(long),
        chunk("\n\ndata: [DONE]\n\n"),
        Buffer.from(LAST_CHUNK),
      ]),
    );
  });
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, chatBody({ stream: true }), AUTHORIZATION);
  await until(() => client.received.length > 0, "the first bytes");
  client.socket.pause();
  const stopped = gateway.stop({ drainMs: 0, graceMs: 8_000 });
  await new Promise((resolve) => setTimeout(resolve, 500));
  client.socket.resume();
  expect((await client.whole("the long answer", 8_000)).body.length).toBe(long.length + 16);
  await within(stopped, "the gateway to stop", 3_000);
});

test("an expectation that nobody knows is ignored, and HTTP/1.0 is never told to continue", async () => {
  const upstream = await startScriptedUpstream((socket) => socket.write(responseBytes(200, JSON_TYPE, "{}")));
  const gateway = await startTestGateway(upstream.baseUrl);
  expect((await ask(gateway.port, { headers: { expect: "the-unexpected" } })).status).toBe(200);
  const old = new RawClient(gateway.port);
  const body = chatBody();
  old.send(
    `POST ${CHAT_PATH} HTTP/1.0\r\nexpect: 100-continue\r\ncontent-type: application/json\r\n` +
      `authorization: ${AUTHORIZATION.authorization}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  await old.ended("the answer in HTTP/1.0");
  expect(old.received.includes("100 Continue")).toBe(false);
  expect(old.received.includes("200 OK")).toBe(true);
});

test("a body of very many values is refused, and one of many is not", async () => {
  const upstream = await startScriptedUpstream((socket) => socket.write(responseBytes(200, JSON_TYPE, "{}")));
  const gateway = await startTestGateway(upstream.baseUrl);
  const around = (values: string): string => `{"model":"a/b","x":[${values}1],"messages":[{"role":"user"}]}`;
  const refused = await ask(gateway.port, { body: around("{},".repeat(5_000_000)) });
  expect(JSON.parse(refused.body.toString())).toMatchObject({ error: { code: "json_too_complex" } });
  expect((await ask(gateway.port, { body: around("1,".repeat(200_000)) })).status).toBe(200);
});

test("large bodies arrive whole while the streams of others run", async () => {
  const { upstream } = await startHeldUpstream();
  const gateway = await startTestGateway(upstream.baseUrl);
  const body = chatBody({ stream: true, user: "x".repeat(8_000_000) });
  const clients = Array.from({ length: 12 }, () => new RawClient(gateway.port));
  for (const client of clients) {
    client.post(CHAT_PATH, body, AUTHORIZATION);
    await until(() => client.response(), "the stream");
  }
  expect(upstream.seen.every((seen) => seen.body.length === body.length)).toBe(true);
});
