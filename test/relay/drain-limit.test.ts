import { expect, onTestFinished, test } from "vitest";
import { startSimulator } from "../../tools/simulator/simulator.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { formatChunk, formatChunkedHead, LAST_CHUNK } from "../support/scripted-upstream.ts";
import { waitUntil } from "../support/wait.ts";
import {
  createDrainingKey,
  waitForRow,
  readRows,
  startMeteredGateway,
  sendStream,
} from "../support/metered-gateway.ts";

const EVENT = 'data: {"id":"gen-1","model":"a/b","choices":[]}\n\n';
const USAGE =
  'data: {"id":"gen-1","model":"a/b","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"cost":0.5}}\n\n';
const REST = Buffer.concat([formatChunk(USAGE), formatChunk("data: [DONE]\n\n"), Buffer.from(LAST_CHUNK)]);
const HEAD = { "content-type": "text/event-stream", "x-generation-id": "gen-1" };
const BEGINNING = Buffer.concat([Buffer.from(formatChunkedHead(HEAD)), formatChunk(EVENT)]);

test.each(["before the head", "in the middle"])(
  "records the cost that a drained response states at its end when the client disconnects %s",
  async (when) => {
    const pendingWrites: (() => void)[] = [];
    const { gateway, secret, upstream } = await startMeteredGateway((socket) => {
      if (when === "in the middle") socket.write(BEGINNING);
      pendingWrites.push(() =>
        socket.write(when === "in the middle" ? REST : Buffer.concat([BEGINNING, REST])),
      );
    });
    const client = sendStream(gateway.port, secret);
    await waitUntil(
      () => (when === "in the middle" ? client.readResponse()?.body.length : pendingWrites.length),
      "the request",
    );
    client.socket.resetAndDestroy();
    await waitUntil(() => client.isClosed, "the client to disconnect");
    // The gateway has handled the disconnect before it responds to this request. If it did not drain, it would have
    // aborted the upstream request by then.
    await gateway.call(secret, { method: "GET", path: "/openai/v1/key", body: "" });
    expect(upstream.open.size).toBe(1);
    for (const write of pendingWrites) write();
    expect(await waitForRow(gateway)).toMatchObject({
      state: "settled",
      outcome: "client_gone",
      cost_source: "stream",
      cost_nanodollars: 500_000_000,
      response_model: "a/b",
      generation_id: "gen-1",
      status: when === "in the middle" ? 200 : 0,
    });
  },
);

test("drains the response when the client disconnects while upstream is paused", async () => {
  const megabyte = formatChunk(`: ${"x".repeat(1_048_576)}\n\n`);
  const { gateway, secret } = await startMeteredGateway((socket) => {
    socket.write(formatChunkedHead(HEAD));
    for (let count = 0; count < 30; count++) socket.write(megabyte);
    socket.write(REST);
  });
  const client = sendStream(gateway.port, secret);
  await waitUntil(() => client.readResponse(), "the head");
  client.socket.pause();
  // The buffers between client and gateway are full when no more bytes arrive.
  let before = -1;
  await waitUntil(() => {
    const now = client.socket.bytesRead;
    const isFull = now === before;
    before = now;
    return isFull;
  }, "the buffers to be full");
  client.socket.resetAndDestroy();
  expect(await waitForRow(gateway)).toMatchObject({ state: "settled", cost_nanodollars: 500_000_000 });
});

test.each([
  ["DISCONNECT_DRAIN_MS", { DISCONNECT_DRAIN_MS: "100" }],
  ["DISCONNECT_DRAIN_BYTES", { DISCONNECT_DRAIN_BYTES: "100000" }],
])("aborts the upstream request when draining exceeds %s, and leaves the cost pending", async (_, env) => {
  const { gateway, secret, upstream } = await startMeteredGateway((socket) => {
    socket.write(BEGINNING);
    const timer = setInterval(() => socket.write(formatChunk(`: ${"x".repeat(10_000)}\n\n`)), 5);
    socket.on("close", () => clearInterval(timer));
  }, env);
  const client = sendStream(gateway.port, secret);
  await waitUntil(() => client.readResponse()?.body.length, "the stream to begin");
  client.socket.destroy();
  await waitUntil(() => upstream.open.size === 0, "the upstream request to be aborted");
  expect(await waitForRow(gateway)).toMatchObject({
    state: "pending",
    outcome: "client_gone",
    generation_id: "gen-1",
  });
});

test("counts a drained response as in flight until its end, and releases its place once", async () => {
  const pendingWrites: (() => void)[] = [];
  const { gateway, secret } = await startMeteredGateway(
    (socket) => {
      socket.write(BEGINNING);
      pendingWrites.push(() => socket.write(REST));
    },
    { MAX_IN_FLIGHT: "1" },
  );
  const client = sendStream(gateway.port, secret);
  await waitUntil(() => client.readResponse()?.body.length, "the stream to begin");
  client.socket.destroy();
  await waitUntil(() => client.isClosed, "the client to disconnect");
  const rejected = sendStream(gateway.port, secret);
  expect((await waitUntil(() => rejected.readResponse(), "the 503")).status).toBe(503);
  for (const write of pendingWrites) write();
  const next = await waitUntil(async () => {
    const retried = sendStream(gateway.port, secret);
    const response = await waitUntil(() => retried.readResponse(), "a response");
    return response.status === 200 ? retried : undefined;
  }, "the free place");
  const another = sendStream(gateway.port, secret);
  expect((await waitUntil(() => another.readResponse(), "the 503")).status).toBe(503);
  next.socket.destroy();
});

test("aborts a drained response at shutdown, and leaves its cost pending", async () => {
  const { gateway, secret, upstream } = await startMeteredGateway((socket) => socket.write(BEGINNING));
  const client = sendStream(gateway.port, secret);
  await waitUntil(() => client.readResponse()?.body.length, "the stream to begin");
  client.socket.destroy();
  await waitUntil(() => client.isClosed, "the client to disconnect");
  await gateway.stop();
  expect(upstream.open.size).toBe(0);
  expect(await waitForRow(gateway)).toMatchObject({ state: "pending", generation_id: "gen-1" });
});

test("leaves the cost pending when upstream disconnects while its response is drained", async () => {
  const pendingResets: (() => void)[] = [];
  const { gateway, secret } = await startMeteredGateway((socket) => {
    socket.write(BEGINNING);
    pendingResets.push(() => socket.resetAndDestroy());
  });
  const client = sendStream(gateway.port, secret);
  await waitUntil(() => client.readResponse()?.body.length, "the stream to begin");
  client.socket.destroy();
  await waitUntil(() => client.isClosed, "the client to disconnect");
  for (const reset of pendingResets) reset();
  expect(await waitForRow(gateway)).toMatchObject({ state: "pending", outcome: "client_gone" });
});

test("records the cost that upstream billed when a client disconnects, with on_disconnect cancel and with drain", async () => {
  const simulator = await startSimulator({ generationDelayMs: 50 });
  onTestFinished(() => simulator.close());
  const gateway = await startKeyedGateway(simulator.baseUrl);
  const secrets = [gateway.caller, await createDrainingKey(gateway)];
  for (const secret of secrets) {
    const client = sendStream(gateway.port, secret, { model: "sim/ok:gapMs=20,events=20" });
    await waitUntil(() => client.readResponse()?.body.length, "the stream to begin");
    client.socket.destroy();
  }
  const rows = await waitUntil(async () => {
    const all = await readRows(gateway);
    return all.length === 2 && all.every(({ state }) => state === "settled") ? all : undefined;
  }, "both rows");
  expect(rows.map(({ cost_source }) => cost_source)).toEqual(["generation", "stream"]);
  for (const row of rows)
    expect(row.cost_nanodollars).toBe(simulator.findBilledNanodollars(row.generation_id ?? ""));
  expect(rows[0]?.cost_nanodollars).toBeLessThan(rows[1]?.cost_nanodollars ?? 0);
});
