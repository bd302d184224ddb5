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

/** Fields of the record of a request whose client disconnected before the head. */
const DISCONNECTED = { outcome: "client_gone", status: 0, first_byte_ms: null, bytes_out: 0 };

/** Starts a gateway in front of an upstream that sends nothing until the test writes to its sockets. */
async function startSilentUpstream(env: Record<string, string> = {}) {
  const sockets: Socket[] = [];
  return { sockets, ...(await startMeteredGateway((socket) => void sockets.push(socket), env)) };
}

type Running = Awaited<ReturnType<typeof startSilentUpstream>>;
type Disconnect = (socket: Socket) => void;
const reset: Disconnect = (socket) => void socket.resetAndDestroy();

/** Sends a request, and disconnects when it has arrived upstream. */
async function sendAndDisconnect(
  { gateway, sockets }: Running,
  secret = gateway.caller,
  disconnect = reset,
): Promise<void> {
  const before = sockets.length;
  const client = sendStream(gateway.port, secret);
  await waitUntil(() => sockets.length > before, "the request at upstream");
  disconnect(client.socket);
  await waitUntilGatewayNotices(gateway, client);
}

async function waitUntilGatewayNotices(gateway: KeyedGateway, client: RawClient): Promise<void> {
  await waitUntil(() => client.isClosed, "the client to disconnect");
  // The gateway has handled the closed connection before it responds to this request.
  await gateway.call(gateway.caller, { method: "GET", path: "/openai/v1/key", body: "" });
}

test.each<[string, Disconnect]>([
  ["closes", (socket) => void socket.destroy()],
  ["resets", reset],
  ["half-closes", (socket) => void socket.end()],
])(
  "waits for the head and its generation id before it aborts when the client %s its connection",
  async (_, disconnect) => {
    const running = await startSilentUpstream();
    await sendAndDisconnect(running, undefined, disconnect);
    expect(running.upstream.open.size).toBe(1);
    running.sockets[0]?.write(HEAD);
    await waitUntil(() => running.upstream.open.size === 0, "the abort at upstream");
    expect(await waitForRow(running.gateway)).toMatchObject({
      ...DISCONNECTED,
      state: "pending",
      generation_id: "gen-1",
    });
    expect(running.gateway.readLog()).toContain('"generation_id":"gen-1"');
  },
);

test("waits for the head of a JSON response when the client disconnects before it", async () => {
  const { gateway, sockets, upstream } = await startSilentUpstream();
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, buildChatBody(), { authorization: `Bearer ${gateway.caller}` });
  await waitUntil(() => sockets.length === 1, "the request at upstream");
  client.socket.resetAndDestroy();
  await waitUntilGatewayNotices(gateway, client);
  sockets[0]?.write(formatChunkedHead({ ...JSON_TYPE, "x-generation-id": "gen-1" }));
  await waitUntil(() => upstream.open.size === 0, "the abort at upstream");
  expect(await waitForRow(gateway)).toMatchObject({
    ...DISCONNECTED,
    state: "pending",
    generation_id: "gen-1",
  });
});

test("waits for the head of every pipelined request when the client disconnects before the first head", async () => {
  const { gateway, sockets, upstream } = await startSilentUpstream();
  const client = new RawClient(gateway.port);
  for (let sent = 0; sent < 3; sent++)
    client.post(CHAT_PATH, buildChatBody({ stream: true }), { authorization: `Bearer ${gateway.caller}` });
  await waitUntil(() => sockets.length === 3, "the requests at upstream");
  client.socket.resetAndDestroy();
  await waitUntilGatewayNotices(gateway, client);
  expect(upstream.open.size).toBe(3);
  for (const [number, socket] of sockets.entries())
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

test("sends 400 for garbage after a request that waits for its head, and still records the request's generation id", async () => {
  const { gateway, sockets, upstream } = await startSilentUpstream();
  const client = sendStream(gateway.port, gateway.caller);
  await waitUntil(() => sockets.length === 1, "the request at upstream");
  client.send("GARBAGE\r\n\r\n");
  expect((await client.waitForResponse("the refusal")).status).toBe(400);
  await waitUntilGatewayNotices(gateway, client);
  expect(upstream.open.size).toBe(1);
  sockets[0]?.write(HEAD);
  await waitUntil(() => upstream.open.size === 0, "the abort at upstream");
  expect(await waitForRow(gateway)).toMatchObject({
    state: "pending",
    outcome: "rejected",
    status: 400,
    generation_id: "gen-1",
  });
});

test("drains a response whose head arrives later than DISCONNECT_DRAIN_MS for a key with on_disconnect drain", async () => {
  const running = await startSilentUpstream({ DISCONNECT_DRAIN_MS: "1" });
  await sendAndDisconnect(running, running.secret);
  running.sockets[0]?.write(Buffer.concat([Buffer.from(HEAD), REST]));
  expect(await waitForRow(running.gateway)).toMatchObject({
    ...DISCONNECTED,
    state: "settled",
    cost_source: "stream",
    generation_id: "gen-1",
  });
});

test.each([400, 404, 429, 500, 503])(
  "records a cost of 0 when upstream responds with %i after the client has disconnected",
  async (status) => {
    const running = await startSilentUpstream();
    await sendAndDisconnect(running);
    const refusal = formatChunk(JSON.stringify({ error: { code: status, message: "No" } }));
    running.sockets[0]?.write(Buffer.concat([Buffer.from(formatChunkedHead(JSON_TYPE, status)), refusal]));
    running.sockets[0]?.write(LAST_CHUNK);
    const settled = { state: "settled", cost_source: "none", cost_nanodollars: 0 };
    expect(await waitForRow(running.gateway)).toMatchObject({ ...DISCONNECTED, ...settled });
    expect(running.gateway.readLog()).toContain(
      `"status":0,"upstream_status":${status},"outcome":"client_gone"`,
    );
  },
);

test.each<[string, Record<string, string>, (socket: Socket | undefined) => void]>([
  ["sends no head within DISCONNECT_HEAD_WAIT_MS", { DISCONNECT_HEAD_WAIT_MS: "200" }, () => {}],
  ["disconnects before its head", {}, (socket) => void socket?.resetAndDestroy()],
  ["has sent no head and DISCONNECT_HEAD_WAIT_MS is 0", { DISCONNECT_HEAD_WAIT_MS: "0" }, () => {}],
  ["responds with 504", {}, (socket) => void socket?.write(formatChunkedHead(JSON_TYPE, 504))],
  [
    "responds with a web page",
    {},
    (socket) => void socket?.write(formatChunkedHead({ "content-type": "text/html" }, 502)),
  ],
  [
    "responds with half an error",
    {},
    (socket) => {
      socket?.write(
        Buffer.concat([Buffer.from(formatChunkedHead(JSON_TYPE, 400)), formatChunk('{"error":{"code":400,')]),
      );
      socket?.end();
    },
  ],
])("logs the cost as unknown when the client has disconnected and upstream %s", async (_, env, respond) => {
  const running = await startSilentUpstream(env);
  await sendAndDisconnect(running);
  respond(running.sockets[0]);
  await waitUntil(() => running.upstream.open.size === 0, "the abort at upstream");
  expect(await waitForRow(running.gateway)).toMatchObject({
    ...DISCONNECTED,
    state: "unknown",
    generation_id: null,
  });
  expect(running.gateway.readLog()).toContain("ledger: cost of a request is unknown");
});

test("waits for the head for a key with on_disconnect drain even when DISCONNECT_HEAD_WAIT_MS is 0", async () => {
  const running = await startSilentUpstream({ DISCONNECT_HEAD_WAIT_MS: "0" });
  await sendAndDisconnect(running, running.secret);
  expect(running.upstream.open.size).toBe(1);
  running.sockets[0]?.write(Buffer.concat([Buffer.from(HEAD), REST]));
  expect(await waitForRow(running.gateway)).toMatchObject({ state: "settled", cost_source: "stream" });
});

test("records a cost of 0 when the client disconnects before the TLS handshake with upstream is complete", async () => {
  const connections: Socket[] = [];
  // Accepts connections and never responds to the TLS handshake.
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
  expect(await waitForRow(gateway)).toMatchObject({ ...DISCONNECTED, ...settled });
});

test("counts a request that waits for its head as in flight until the head arrives", async () => {
  const running = await startSilentUpstream({ MAX_IN_FLIGHT: "1" });
  await sendAndDisconnect(running);
  expect((await running.gateway.call(running.gateway.caller)).status).toBe(503);
  running.sockets[0]?.write(HEAD);
  await waitForRow(running.gateway);
  await sendAndDisconnect(running);
  expect(running.sockets.length).toBe(2);
});

test("aborts a request that waits for its head when the grace period of the shutdown ends", async () => {
  const running = await startSilentUpstream();
  await sendAndDisconnect(running);
  await waitFor(running.gateway.stop(), "the gateway to stop");
  expect(running.upstream.open.size).toBe(0);
  expect(await waitForRow(running.gateway)).toMatchObject({ ...DISCONNECTED, state: "unknown" });
});

test("records the generation id of a response that the client does not read", async () => {
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
