import { createServer, type AddressInfo, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { type KeyedGateway, startKeyedGateway } from "../support/keyed-gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import { formatChunk, formatChunkedHead, LAST_CHUNK } from "../support/scripted-upstream.ts";
import { waitUntil, waitFor } from "../support/wait.ts";
import { waitForRow, readRows, startMeteredGateway, sendStream } from "../support/metered-gateway.ts";

const JSON_TYPE = { "content-type": "application/json" };
const HEAD = formatChunkedHead({ "content-type": "text/event-stream", "x-generation-id": "gen-1" });
const USAGE =
  'data: {"id":"gen-1","model":"a/b","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"cost":0.5}}\n\n';
const REST = Buffer.concat([formatChunk(USAGE), formatChunk("data: [DONE]\n\n"), Buffer.from(LAST_CHUNK)]);

/** Fields of the record of a request whose client left before the head. */
const LEFT = { outcome: "client_gone", status: 0, first_byte_ms: null, bytes_out: 0 };

/** Starts a gateway in front of an upstream that holds its responses. */
async function startHeld(env: Record<string, string> = {}) {
  const held: Socket[] = [];
  return { held, ...(await startMeteredGateway((socket) => void held.push(socket), env)) };
}

type Held = Awaited<ReturnType<typeof startHeld>>;
type Leave = (socket: Socket) => void;
const reset: Leave = (socket) => void socket.resetAndDestroy();

/** Sends a request, and leaves when it has arrived upstream. */
async function askAndLeave({ gateway, held }: Held, secret = gateway.caller, leave = reset): Promise<void> {
  const before = held.length;
  const client = sendStream(gateway.port, secret);
  await waitUntil(() => held.length > before, "the request at upstream");
  leave(client.socket);
  await gatewayNotices(gateway, client);
}

async function gatewayNotices(gateway: KeyedGateway, client: RawClient): Promise<void> {
  await waitUntil(() => client.isClosed, "the client to disconnect");
  // The gateway has handled the closed connection when it answers the next request.
  await gateway.call(gateway.caller, { method: "GET", path: "/openai/v1/key", body: "" });
}

test.each<[string, Leave]>([
  ["closes", (socket) => void socket.destroy()],
  ["resets", reset],
  ["half-closes", (socket) => void socket.end()],
])(
  "keeps a request until the head names its generation when the client %s its connection before",
  async (_, leave) => {
    const running = await startHeld();
    await askAndLeave(running, undefined, leave);
    expect(running.upstream.open.size).toBe(1);
    running.held[0]?.write(HEAD);
    await waitUntil(() => running.upstream.open.size === 0, "the abort at upstream");
    expect(await waitForRow(running.gateway)).toMatchObject({
      ...LEFT,
      state: "pending",
      generation_id: "gen-1",
    });
    expect(running.gateway.readLog()).toContain('"generation_id":"gen-1"');
  },
);

test("keeps a plain request until its head when the client leaves before", async () => {
  const { gateway, held, upstream } = await startHeld();
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, buildChatBody(), { authorization: `Bearer ${gateway.caller}` });
  await waitUntil(() => held.length === 1, "the request at upstream");
  client.socket.resetAndDestroy();
  await gatewayNotices(gateway, client);
  held[0]?.write(formatChunkedHead({ ...JSON_TYPE, "x-generation-id": "gen-1" }));
  await waitUntil(() => upstream.open.size === 0, "the abort at upstream");
  expect(await waitForRow(gateway)).toMatchObject({ ...LEFT, state: "pending", generation_id: "gen-1" });
});

test("keeps every pipelined request until its head when the client leaves before the first", async () => {
  const { gateway, held, upstream } = await startHeld();
  const client = new RawClient(gateway.port);
  for (let sent = 0; sent < 3; sent++)
    client.post(CHAT_PATH, buildChatBody({ stream: true }), { authorization: `Bearer ${gateway.caller}` });
  await waitUntil(() => held.length === 3, "the requests at upstream");
  client.socket.resetAndDestroy();
  await gatewayNotices(gateway, client);
  expect(upstream.open.size).toBe(3);
  for (const [number, socket] of held.entries())
    socket.write(
      formatChunkedHead({ "content-type": "text/event-stream", "x-generation-id": `gen-${number}` }),
    );
  const rows = await waitUntil(async () => {
    const all = await readRows(gateway);
    return all.length === 3 && all.every(({ state }) => state === "pending") ? all : undefined;
  }, "three rows");
  expect(new Set(rows.map(({ generation_id }) => generation_id))).toEqual(
    new Set(["gen-0", "gen-1", "gen-2"]),
  );
});

test("answers 400 to garbage after a request that waits for its head, and still learns the request's generation id", async () => {
  const { gateway, held, upstream } = await startHeld();
  const client = sendStream(gateway.port, gateway.caller);
  await waitUntil(() => held.length === 1, "the request at upstream");
  client.send("GARBAGE\r\n\r\n");
  expect((await client.waitForResponse("the refusal")).status).toBe(400);
  await gatewayNotices(gateway, client);
  expect(upstream.open.size).toBe(1);
  held[0]?.write(HEAD);
  await waitUntil(() => upstream.open.size === 0, "the abort at upstream");
  expect(await waitForRow(gateway)).toMatchObject({
    state: "pending",
    outcome: "rejected",
    status: 400,
    generation_id: "gen-1",
  });
});

test("drains a response for a key that drains when its head comes later than DISCONNECT_DRAIN_MS", async () => {
  const running = await startHeld({ DISCONNECT_DRAIN_MS: "1" });
  await askAndLeave(running, running.secret);
  running.held[0]?.write(Buffer.concat([Buffer.from(HEAD), REST]));
  expect(await waitForRow(running.gateway)).toMatchObject({
    ...LEFT,
    state: "settled",
    cost_source: "stream",
    generation_id: "gen-1",
  });
});

test.each([400, 404, 429, 500, 503])(
  "charges nothing when upstream answers with %i after the client left",
  async (status) => {
    const running = await startHeld();
    await askAndLeave(running);
    const refusal = formatChunk(JSON.stringify({ error: { code: status, message: "No" } }));
    running.held[0]?.write(Buffer.concat([Buffer.from(formatChunkedHead(JSON_TYPE, status)), refusal]));
    running.held[0]?.write(LAST_CHUNK);
    const settled = { state: "settled", cost_source: "none", cost_nanodollars: 0 };
    expect(await waitForRow(running.gateway)).toMatchObject({ ...LEFT, ...settled });
    expect(running.gateway.readLog()).toContain(
      `"status":0,"upstream_status":${status},"outcome":"client_gone"`,
    );
  },
);

test.each<[string, Record<string, string>, (socket: Socket | undefined) => void]>([
  ["never answers within DISCONNECT_HEAD_WAIT_MS", { DISCONNECT_HEAD_WAIT_MS: "200" }, () => {}],
  ["disconnects before its head", {}, (socket) => void socket?.resetAndDestroy()],
  ["must not be waited for", { DISCONNECT_HEAD_WAIT_MS: "0" }, () => {}],
  ["answers with 504", {}, (socket) => void socket?.write(formatChunkedHead(JSON_TYPE, 504))],
  [
    "answers with a page",
    {},
    (socket) => void socket?.write(formatChunkedHead({ "content-type": "text/html" }, 502)),
  ],
  [
    "answers with half an error",
    {},
    (socket) => {
      socket?.write(
        Buffer.concat([Buffer.from(formatChunkedHead(JSON_TYPE, 400)), formatChunk('{"error":{"code":400,')]),
      );
      socket?.end();
    },
  ],
])("logs the cost as unknown when the client left and upstream %s", async (_, env, answer) => {
  const running = await startHeld(env);
  await askAndLeave(running);
  answer(running.held[0]);
  await waitUntil(() => running.upstream.open.size === 0, "the abort at upstream");
  expect(await waitForRow(running.gateway)).toMatchObject({ ...LEFT, state: "unknown", generation_id: null });
  expect(running.gateway.readLog()).toContain("ledger: cost of a request is unknown");
});

test("waits for the head for a key that drains even when DISCONNECT_HEAD_WAIT_MS is 0", async () => {
  const running = await startHeld({ DISCONNECT_HEAD_WAIT_MS: "0" });
  await askAndLeave(running, running.secret);
  expect(running.upstream.open.size).toBe(1);
  running.held[0]?.write(Buffer.concat([Buffer.from(HEAD), REST]));
  expect(await waitForRow(running.gateway)).toMatchObject({ state: "settled", cost_source: "stream" });
});

test("drops a request that has not been sent yet when the client leaves, and charges nothing", async () => {
  const connections: Socket[] = [];
  // Accepts connections and never answers the TLS handshake.
  const silent = createServer((socket) => void connections.push(socket));
  silent.listen(0, "127.0.0.1");
  onTestFinished(() => {
    for (const socket of connections) socket.destroy();
    silent.close();
  });
  await waitUntil(() => silent.listening, "the upstream to listen");
  const gateway = await startKeyedGateway(
    `https://127.0.0.1:${(silent.address() as AddressInfo).port}/api/v1`,
  );
  const client = sendStream(gateway.port, gateway.caller);
  await waitUntil(() => connections.length > 0, "the handshake to begin");
  client.socket.resetAndDestroy();
  const settled = { state: "settled", cost_source: "none", cost_nanodollars: 0 };
  expect(await waitForRow(gateway)).toMatchObject({ ...LEFT, ...settled });
});

test("counts a request that waits for its head as in flight until the head arrives", async () => {
  const running = await startHeld({ MAX_IN_FLIGHT: "1" });
  await askAndLeave(running);
  expect((await running.gateway.call(running.gateway.caller)).status).toBe(503);
  running.held[0]?.write(HEAD);
  await waitForRow(running.gateway);
  await askAndLeave(running);
  expect(running.held.length).toBe(2);
});

test("ends a request that waits for its head when the gateway's grace period is over", async () => {
  const running = await startHeld();
  await askAndLeave(running);
  await waitFor(running.gateway.stop(), "the gateway to stop");
  expect(running.upstream.open.size).toBe(0);
  expect(await waitForRow(running.gateway)).toMatchObject({ ...LEFT, state: "unknown" });
});

test("learns the generation id of a response that its client does not read", async () => {
  const { gateway, upstream } = await startMeteredGateway(
    (socket) => {
      socket.write(HEAD);
      for (let count = 0; count < 30; count++) socket.write(formatChunk(`: ${"x".repeat(1_048_576)}\n\n`));
    },
    { CLIENT_STALL_TIMEOUT_MS: "100" },
  );
  const client = sendStream(gateway.port, gateway.caller);
  client.socket.pause();
  await waitUntil(() => upstream.seen.length === 1, "the request at upstream");
  expect(await waitForRow(gateway)).toMatchObject({
    state: "pending",
    outcome: "client_gone",
    generation_id: "gen-1",
  });
  await waitUntil(() => upstream.open.size === 0, "the abort at upstream");
});
