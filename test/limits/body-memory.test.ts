import { type AddressInfo, createServer } from "node:net";
import * as fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { BodyMemory } from "../../src/limits/body-memory.ts";
import { InFlight } from "../../src/limits/in-flight.ts";
import { createRequestContext } from "../support/request-context.ts";
import { sendRequest } from "../support/send-request.ts";
import { AUTHORIZATION, CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { CALLER_KEY, startTestGateway } from "../support/gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import {
  formatChunk,
  formatChunkedHead,
  formatResponse,
  type Script,
  startScriptedUpstream,
} from "../support/scripted-upstream.ts";
import { waitUntil } from "../support/wait.ts";

const OK_RESPONSE = formatResponse(200, { "content-type": "application/json" }, "{}");
const OTHER_KEY = "sk-other-0123456789";
const TWO_KEYS = { GATEWAY_API_KEYS: `team:${CALLER_KEY},other:${OTHER_KEY}` };
const OTHER = { authorization: `Bearer ${OTHER_KEY}` };

const respond: Script = (socket) => socket.write(OK_RESPONSE);

function head(headers: Record<string, string>): string {
  const lines = Object.entries({ host: "gateway", "content-type": "application/json", ...headers });
  return `POST ${CHAT_PATH} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
}

/** @returns a valid body of this length. */
function buildBody(bytes: number, fields: Record<string, unknown> = {}): string {
  return buildChatBody({
    ...fields,
    user: "x".repeat(bytes - buildChatBody({ ...fields, user: "" }).length),
  });
}

/** Sends a request without the last byte of its body. */
function startUpload(port: number, body: string, headers: Record<string, string> = AUTHORIZATION): RawClient {
  const client = new RawClient(port);
  client.send(head({ ...headers, "content-length": String(body.length) }));
  client.send(body.slice(0, -1));
  return client;
}

/** Starts an upstream that accepts connections and never reads. @returns its port. */
async function startSilentUpstream(): Promise<number> {
  const server = createServer((socket) => {
    socket.pause().on("error", () => {});
    onTestFinished(() => void socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** @returns whether the gateway accepts a body of this length now. Expects that a refusal is a 503 with code overloaded. */
async function accepts(port: number, bytes: number, headers = AUTHORIZATION): Promise<boolean> {
  const response = await sendRequest(port, { body: buildBody(bytes), headers });
  if (response.status === 200) return true;
  const { error } = JSON.parse(response.body.toString()) as { error: unknown };
  expect([response.status, response.headers["retry-after"], error]).toMatchObject([
    503,
    "1",
    { type: "server_error", code: "overloaded", param: null },
  ]);
  return false;
}

test("before the client sends a body, the gateway refuses a declared length that exceeds the free memory", async () => {
  const gateway = await startTestGateway("http://127.0.0.1:9/api/v1", { BODY_MEMORY_BYTES: "100000" });
  const client = new RawClient(gateway.port);
  client.send(head({ ...AUTHORIZATION, "content-length": "100001", expect: "100-continue" }));
  const response = await client.waitForResponse("the refusal");
  expect([response.status, response.headers["retry-after"]]).toEqual([503, "1"]);
  expect(client.received.includes("100 Continue")).toBe(false);
});

test("the gateway refuses a body without a declared length when the received bytes exceed the free memory, and releases these bytes", async () => {
  const upstream = await startScriptedUpstream(respond);
  const gateway = await startTestGateway(upstream.baseUrl, { BODY_MEMORY_BYTES: "1000000" });
  const client = new RawClient(gateway.port);
  client.send(head({ ...AUTHORIZATION, "transfer-encoding": "chunked" }));
  client.send(formatChunk(Buffer.alloc(1_100_000, 0x20)));
  expect((await client.waitForResponse("the refusal")).status).toBe(503);
  expect(await accepts(gateway.port, 700_000)).toBe(true);
});

test("the body memory counts the received bytes of an upload, not its declared length", async () => {
  const upstream = await startScriptedUpstream(respond);
  const gateway = await startTestGateway(upstream.baseUrl, { BODY_MEMORY_BYTES: "1000000" });
  for (let opened = 0; opened < 20; opened++) {
    const client = new RawClient(gateway.port);
    client.send(head({ ...AUTHORIZATION, "content-length": "700000" }));
    client.send("{");
  }
  expect(await accepts(gateway.port, 700_000)).toBe(true);
});

test("unfinished uploads of one key leave memory for another key, and release their own memory when the clients disconnect", async () => {
  const upstream = await startScriptedUpstream(respond);
  const gateway = await startTestGateway(upstream.baseUrl, { ...TWO_KEYS, BODY_MEMORY_BYTES: "4000000" });
  const clients = Array.from({ length: 12 }, () => startUpload(gateway.port, buildBody(600_000)));
  const refused = (): RawClient[] => clients.filter((client) => client.readResponse()?.status === 503);
  await waitUntil(() => refused().length >= 7, "the refusals");
  await waitUntil(async () => !(await accepts(gateway.port, 500_000)), "the key's share to be full");
  expect(await accepts(gateway.port, 200_000, OTHER)).toBe(true);
  for (const client of clients) client.socket.resetAndDestroy();
  await waitUntil(() => accepts(gateway.port, 2_500_000), "memory after the uploads have ended");
});

test("a small body stays in memory until its response ends, a large body only until the gateway has sent it upstream", async () => {
  const upstream = await startScriptedUpstream((socket, { body }) =>
    body.includes('"stream":true')
      ? socket.write(Buffer.concat([Buffer.from(formatChunkedHead()), formatChunk("data: 1\n\n")]))
      : socket.write(OK_RESPONSE),
  );
  const gateway = await startTestGateway(upstream.baseUrl, { BODY_MEMORY_BYTES: "1000000" });
  const stream = async (bytes: number): Promise<RawClient> => {
    const client = new RawClient(gateway.port);
    client.post(CHAT_PATH, buildBody(bytes, { stream: true }), AUTHORIZATION);
    await waitUntil(() => client.readResponse(), "the stream");
    return client;
  };
  const large = await stream(700_000);
  await waitUntil(() => accepts(gateway.port, 740_000), "memory while the stream of a large body runs");
  const small = await stream(100_000);
  expect(await accepts(gateway.port, 700_000)).toBe(false);
  small.socket.resetAndDestroy();
  await waitUntil(() => accepts(gateway.port, 740_000), "memory after the small body's stream");
  expect(large.isClosed).toBe(false);
});

test("a large body stays in memory while upstream does not read it", async () => {
  const silent = await startSilentUpstream();
  const gateway = await startTestGateway(`http://127.0.0.1:${silent}/api/v1`, {
    BODY_MEMORY_BYTES: "60000000",
  });
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, buildBody(40_000_000), AUTHORIZATION);
  await waitUntil(() => client.socket.writableLength === 0, "the upload", 30_000);
  const probe = new RawClient(gateway.port);
  probe.send(head({ ...AUTHORIZATION, "content-length": "30000000" }));
  expect((await probe.waitForResponse("the refusal")).status).toBe(503);
});

test("held bytes never exceed the budget, and are 0 after every request has released its memory", () => {
  const step = fc.tuple(fc.nat(5), fc.constantFrom("hold", "check", "release"), fc.nat(40));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const inFlight = new InFlight(6);
      const memory = new BodyMemory(100);
      const contexts = Array.from({ length: 6 }, (_, index) => {
        const context = createRequestContext();
        context.callerId = String(index % 3);
        inFlight.enter(context);
        return context;
      });
      for (const [index, action, bytes] of steps) {
        const context = contexts[index] as (typeof contexts)[number];
        if (action === "release") memory.release(context);
        else memory[action](context, bytes);
        expect(memory.heldBytes).toBe(contexts.reduce((sum, { bodyBytesHeld }) => sum + bodyBytesHeld, 0));
        expect(memory.heldBytes).toBeLessThanOrEqual(100);
      }
      for (const context of contexts) memory.release(context);
      expect(memory.heldBytes).toBe(0);
    }),
  );
});
