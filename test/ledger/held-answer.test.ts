import { expect, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import type { Exchange } from "../../src/http/exchange.ts";
import type { UpstreamSink } from "../../src/upstream/openrouter.ts";
import { idleCall } from "../support/upstream-call.ts";
import { until } from "../support/until.ts";
import { newExchange } from "./requests.ts";
import { begin, startLedger } from "./started-ledger.ts";

/** A sink that writes down what it is told. */
function noting(): { told: string[]; sink: UpstreamSink } {
  const told: string[] = [];
  const sink: UpstreamSink = {
    onHead: ({ status }) => void told.push(`head ${status}`),
    onData: (chunk) => void told.push(chunk.toString()),
    onEnd: () => void told.push("end"),
    onFailure: ({ code }) => void told.push(code),
    onRetry: () => void told.push("retry"),
  };
  return { told, sink };
}

/** A request upstream whose answer goes to a sink, held back until its head is kept. */
function holding(exchange: Exchange, sink: UpstreamSink) {
  let now = exchange.account?.hold(sink, exchange) as UpstreamSink;
  const call = idleCall({ deliverTo: (next: UpstreamSink) => void (now = next) });
  return { head: () => now.onHead(HEAD, call), now: () => now };
}

/** A request whose account has begun, and whose answer is held back. */
async function startHeld() {
  const ledger = await startLedger();
  const exchange = newExchange();
  await begin(ledger.ledger, exchange);
  const { told, sink } = noting();
  return { ...ledger, exchange, told, sink, held: holding(exchange, sink) };
}

const HEAD = { status: 200, headers: { "x-generation-id": "gen-7" } };

test("an answer is given on when its head is on the disk, in its order", async () => {
  const { told, held, exchange, journal } = await startHeld();
  held.now().onRetry();
  held.head();
  held.now().onData(Buffer.from("a"));
  held.now().onData(Buffer.from("b"));
  held.now().onEnd();
  expect(told).toEqual(["retry"]);
  // What is known of it is known at once: the caller may leave before the head is kept.
  expect([exchange.generationId, exchange.upstreamStatus]).toEqual(["gen-7", 200]);
  await until(() => told.length > 1, "the answer");
  expect(told).toEqual(["retry", "head 200", "a", "b", "end"]);
  expect(journal()).toContain('{"status":200,"generationId":"gen-7"}');
});

test("what comes after the head was kept goes where it would without a ledger", async () => {
  const { told, sink, held } = await startHeld();
  held.head();
  await until(() => told.length > 0, "the head");
  expect(held.now()).toBe(sink);
});

test("a failure after the head is told after what came before it", async () => {
  const { told, held } = await startHeld();
  held.head();
  held.now().onData(Buffer.from("a"));
  held.now().onFailure(new GatewayError("upstream_disconnected", "It broke off."));
  expect(told).toEqual([]);
  await until(() => told.length > 0, "the head");
  expect(told).toEqual(["head 200", "a", "upstream_disconnected"]);
});

test("the failure of a request that was not answered is told at once", async () => {
  const { told, held } = await startHeld();
  held.now().onFailure(new GatewayError("upstream_timeout", "Nothing came."));
  expect(told).toEqual(["upstream_timeout"]);
});

test("the generation of a request that goes on is in the database, should the disk be lost with its process", async () => {
  const { held, rows } = await startHeld();
  await until(async () => (await rows()).length === 1, "its beginning");
  held.head();
  await until(async () => (await rows())[0]?.generation_id === "gen-7", "its generation");
  expect(await rows()).toMatchObject([{ state: "open", generation_id: "gen-7" }]);
});

test("a caller who leaves while the head is held back is accounted for with its generation", async () => {
  const { held, exchange, ledger, rows, close } = await startHeld();
  held.head();
  exchange.sent = true;
  exchange.outcome = "client_gone";
  ledger.end(exchange);
  await close();
  expect(await rows()).toMatchObject([{ state: "pending", generation_id: "gen-7", outcome: "client_gone" }]);
});
