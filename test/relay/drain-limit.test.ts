import { expect, onTestFinished, test } from "vitest";
import { startSimulator } from "../../tools/simulator/simulator.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { chunk, chunkedHead, LAST_CHUNK } from "../support/scripted-upstream.ts";
import { until } from "../support/until.ts";
import { drainingKey, rowOf, rowsIn, startWithLedger, stream } from "../support/abandoned-requests.ts";

const EVENT = 'data: {"id":"gen-1","model":"a/b","choices":[]}\n\n';
const USAGE =
  'data: {"id":"gen-1","model":"a/b","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"cost":0.5}}\n\n';
const REST = Buffer.concat([chunk(USAGE), chunk("data: [DONE]\n\n"), Buffer.from(LAST_CHUNK)]);
const HEAD = { "content-type": "text/event-stream", "x-generation-id": "gen-1" };
const BEGINNING = Buffer.concat([Buffer.from(chunkedHead(HEAD)), chunk(EVENT)]);

test.each(["before the head", "in the middle"])(
  "a caller with a key that drains who leaves %s pays what the answer says at its end",
  async (when) => {
    const held: (() => void)[] = [];
    const { gateway, secret, upstream } = await startWithLedger((socket) => {
      if (when === "in the middle") socket.write(BEGINNING);
      held.push(() => socket.write(when === "in the middle" ? REST : Buffer.concat([BEGINNING, REST])));
    });
    const client = stream(gateway.port, secret);
    await until(
      () => (when === "in the middle" ? client.response()?.body.length : held.length),
      "the request",
    );
    client.socket.resetAndDestroy();
    await until(() => client.closed, "the caller to leave");
    // Only that nothing is aborted: a gateway that has noticed would have closed the connection.
    await gateway.call(secret, { method: "GET", path: "/openai/v1/key", body: "" });
    expect(upstream.open.size).toBe(1);
    for (const finish of held) finish();
    expect(await rowOf(gateway)).toMatchObject({
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
  const megabyte = chunk(`: ${"x".repeat(1_048_576)}\n\n`);
  const { gateway, secret } = await startWithLedger((socket) => {
    socket.write(chunkedHead(HEAD));
    for (let count = 0; count < 30; count++) socket.write(megabyte);
    socket.write(REST);
  });
  const client = stream(gateway.port, secret);
  await until(() => client.response(), "the head");
  client.socket.pause();
  // Until the buffers between them are full, which they are when no more comes in.
  let before = -1;
  await until(() => {
    const now = client.socket.bytesRead;
    const stands = now === before;
    before = now;
    return stands;
  }, "the caller to be full");
  client.socket.resetAndDestroy();
  expect(await rowOf(gateway)).toMatchObject({ state: "settled", cost_nanodollars: 500_000_000 });
});

test.each([
  ["time", { DISCONNECT_DRAIN_MS: "100" }],
  ["bytes", { DISCONNECT_DRAIN_BYTES: "100000" }],
])("what is read on is bounded in %s: then upstream is let go, and the bill is asked for", async (_, env) => {
  const { gateway, secret, upstream } = await startWithLedger((socket) => {
    socket.write(BEGINNING);
    const timer = setInterval(() => socket.write(chunk(`: ${"x".repeat(10_000)}\n\n`)), 5);
    socket.on("close", () => clearInterval(timer));
  }, env);
  const client = stream(gateway.port, secret);
  await until(() => client.response()?.body.length, "the stream to begin");
  client.socket.destroy();
  await until(() => upstream.open.size === 0, "upstream to be let go");
  expect(await rowOf(gateway)).toMatchObject({
    state: "pending",
    outcome: "client_gone",
    generation_id: "gen-1",
  });
});

test("an answer that is read on keeps its place until its end, and gives it back once", async () => {
  const held: (() => void)[] = [];
  const { gateway, secret } = await startWithLedger(
    (socket) => {
      socket.write(BEGINNING);
      held.push(() => socket.write(REST));
    },
    { MAX_IN_FLIGHT: "1" },
  );
  const client = stream(gateway.port, secret);
  await until(() => client.response()?.body.length, "the stream to begin");
  client.socket.destroy();
  await until(() => client.closed, "the caller to leave");
  const turnedAway = stream(gateway.port, secret);
  expect((await until(() => turnedAway.response(), "the refusal")).status).toBe(503);
  for (const finish of held) finish();
  const next = await until(async () => {
    const one = stream(gateway.port, secret);
    const response = await until(() => one.response(), "an answer");
    return response.status === 200 ? one : undefined;
  }, "the free place");
  const another = stream(gateway.port, secret);
  expect((await until(() => another.response(), "the refusal")).status).toBe(503);
  next.socket.destroy();
});

test("a gateway that stops breaks off what it reads on, and leaves its bill to be asked for", async () => {
  const { gateway, secret, upstream } = await startWithLedger((socket) => socket.write(BEGINNING));
  const client = stream(gateway.port, secret);
  await until(() => client.response()?.body.length, "the stream to begin");
  client.socket.destroy();
  await until(() => client.closed, "the caller to leave");
  await gateway.stop();
  expect(upstream.open.size).toBe(0);
  expect(await rowOf(gateway)).toMatchObject({ state: "pending", generation_id: "gen-1" });
});

test("an upstream that breaks while it is read on leaves its bill to be asked for", async () => {
  const held: (() => void)[] = [];
  const { gateway, secret } = await startWithLedger((socket) => {
    socket.write(BEGINNING);
    held.push(() => socket.resetAndDestroy());
  });
  const client = stream(gateway.port, secret);
  await until(() => client.response()?.body.length, "the stream to begin");
  client.socket.destroy();
  await until(() => client.closed, "the caller to leave");
  for (const breakOff of held) breakOff();
  expect(await rowOf(gateway)).toMatchObject({ state: "pending", outcome: "client_gone" });
});

test("with a key that cancels, and with one that drains, the ledger says what upstream billed", async () => {
  const simulator = await startSimulator({ generationDelayMs: 50 });
  onTestFinished(() => simulator.close());
  const gateway = await startKeyedGateway(simulator.baseUrl);
  const secrets = [gateway.caller, await drainingKey(gateway)];
  for (const secret of secrets) {
    const client = stream(gateway.port, secret, { model: "sim/ok:gapMs=20,events=20" });
    await until(() => client.response()?.body.length, "the stream to begin");
    client.socket.destroy();
  }
  const rows = await until(
    async () => {
      const all = await rowsIn(gateway);
      return all.length === 2 && all.every(({ state }) => state === "settled") ? all : undefined;
    },
    "both rows",
    10_000,
  );
  expect(rows.map(({ cost_source }) => cost_source)).toEqual(["generation", "stream"]);
  for (const row of rows) expect(row.cost_nanodollars).toBe(simulator.billed(row.generation_id ?? ""));
  expect(rows[0]?.cost_nanodollars).toBeLessThan(rows[1]?.cost_nanodollars ?? 0);
});
