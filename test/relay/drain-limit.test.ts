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
  "a caller with a key that drains who leaves %s pays what the answer says at its end",
  async (when) => {
    const held: (() => void)[] = [];
    const { gateway, secret, upstream } = await startMeteredGateway((socket) => {
      if (when === "in the middle") socket.write(BEGINNING);
      held.push(() => socket.write(when === "in the middle" ? REST : Buffer.concat([BEGINNING, REST])));
    });
    const client = sendStream(gateway.port, secret);
    await waitUntil(
      () => (when === "in the middle" ? client.readResponse()?.body.length : held.length),
      "the request",
    );
    client.socket.resetAndDestroy();
    await waitUntil(() => client.isClosed, "the caller to leave");
    // Only that nothing is aborted: a gateway that has noticed would have closed the connection.
    await gateway.call(secret, { method: "GET", path: "/openai/v1/key", body: "" });
    expect(upstream.open.size).toBe(1);
    for (const finish of held) finish();
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

test("a caller who leaves while upstream waits for it has the rest read on", async () => {
  const megabyte = formatChunk(`: ${"x".repeat(1_048_576)}\n\n`);
  const { gateway, secret } = await startMeteredGateway((socket) => {
    socket.write(formatChunkedHead(HEAD));
    for (let count = 0; count < 30; count++) socket.write(megabyte);
    socket.write(REST);
  });
  const client = sendStream(gateway.port, secret);
  await waitUntil(() => client.readResponse(), "the head");
  client.socket.pause();
  // Until the buffers between them are full, which they are when no more comes in.
  let before = -1;
  await waitUntil(() => {
    const now = client.socket.bytesRead;
    const stands = now === before;
    before = now;
    return stands;
  }, "the caller to be full");
  client.socket.resetAndDestroy();
  expect(await waitForRow(gateway)).toMatchObject({ state: "settled", cost_nanodollars: 500_000_000 });
});

test.each([
  ["time", { DISCONNECT_DRAIN_MS: "100" }],
  ["bytes", { DISCONNECT_DRAIN_BYTES: "100000" }],
])("what is read on is bounded in %s: then upstream is let go, and the bill is asked for", async (_, env) => {
  const { gateway, secret, upstream } = await startMeteredGateway((socket) => {
    socket.write(BEGINNING);
    const timer = setInterval(() => socket.write(formatChunk(`: ${"x".repeat(10_000)}\n\n`)), 5);
    socket.on("close", () => clearInterval(timer));
  }, env);
  const client = sendStream(gateway.port, secret);
  await waitUntil(() => client.readResponse()?.body.length, "the stream to begin");
  client.socket.destroy();
  await waitUntil(() => upstream.open.size === 0, "upstream to be let go");
  expect(await waitForRow(gateway)).toMatchObject({
    state: "pending",
    outcome: "client_gone",
    generation_id: "gen-1",
  });
});

test("an answer that is read on keeps its place until its end, and gives it back once", async () => {
  const held: (() => void)[] = [];
  const { gateway, secret } = await startMeteredGateway(
    (socket) => {
      socket.write(BEGINNING);
      held.push(() => socket.write(REST));
    },
    { MAX_IN_FLIGHT: "1" },
  );
  const client = sendStream(gateway.port, secret);
  await waitUntil(() => client.readResponse()?.body.length, "the stream to begin");
  client.socket.destroy();
  await waitUntil(() => client.isClosed, "the caller to leave");
  const turnedAway = sendStream(gateway.port, secret);
  expect((await waitUntil(() => turnedAway.readResponse(), "the refusal")).status).toBe(503);
  for (const finish of held) finish();
  const next = await waitUntil(async () => {
    const one = sendStream(gateway.port, secret);
    const response = await waitUntil(() => one.readResponse(), "an answer");
    return response.status === 200 ? one : undefined;
  }, "the free place");
  const another = sendStream(gateway.port, secret);
  expect((await waitUntil(() => another.readResponse(), "the refusal")).status).toBe(503);
  next.socket.destroy();
});

test("a gateway that stops breaks off what it reads on, and leaves its bill to be asked for", async () => {
  const { gateway, secret, upstream } = await startMeteredGateway((socket) => socket.write(BEGINNING));
  const client = sendStream(gateway.port, secret);
  await waitUntil(() => client.readResponse()?.body.length, "the stream to begin");
  client.socket.destroy();
  await waitUntil(() => client.isClosed, "the caller to leave");
  await gateway.stop();
  expect(upstream.open.size).toBe(0);
  expect(await waitForRow(gateway)).toMatchObject({ state: "pending", generation_id: "gen-1" });
});

test("an upstream that breaks while it is read on leaves its bill to be asked for", async () => {
  const held: (() => void)[] = [];
  const { gateway, secret } = await startMeteredGateway((socket) => {
    socket.write(BEGINNING);
    held.push(() => socket.resetAndDestroy());
  });
  const client = sendStream(gateway.port, secret);
  await waitUntil(() => client.readResponse()?.body.length, "the stream to begin");
  client.socket.destroy();
  await waitUntil(() => client.isClosed, "the caller to leave");
  for (const abort of held) abort();
  expect(await waitForRow(gateway)).toMatchObject({ state: "pending", outcome: "client_gone" });
});

test("with a key that cancels, and with one that drains, the ledger says what upstream billed", async () => {
  const simulator = await startSimulator({ generationDelayMs: 50 });
  onTestFinished(() => simulator.close());
  const gateway = await startKeyedGateway(simulator.baseUrl);
  const secrets = [gateway.caller, await createDrainingKey(gateway)];
  for (const secret of secrets) {
    const client = sendStream(gateway.port, secret, { model: "sim/ok:gapMs=20,events=20" });
    await waitUntil(() => client.readResponse()?.body.length, "the stream to begin");
    client.socket.destroy();
  }
  const rows = await waitUntil(
    async () => {
      const all = await readRows(gateway);
      return all.length === 2 && all.every(({ state }) => state === "settled") ? all : undefined;
    },
    "both rows",
    10_000,
  );
  expect(rows.map(({ cost_source }) => cost_source)).toEqual(["generation", "stream"]);
  for (const row of rows)
    expect(row.cost_nanodollars).toBe(simulator.findBilledNanodollars(row.generation_id ?? ""));
  expect(rows[0]?.cost_nanodollars).toBeLessThan(rows[1]?.cost_nanodollars ?? 0);
});
