import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { GatewayError } from "../../src/errors.ts";
import type { Exchange } from "../../src/http/exchange.ts";
import { Ledger } from "../../src/ledger/ledger.ts";
import { createLogger } from "../../src/logger.ts";
import type { UpstreamSink } from "../../src/upstream/openrouter.ts";
import { openTestDatabase, temporaryDirectory } from "../support/store.ts";
import { until, within } from "../support/until.ts";
import { endedExchange, newExchange } from "./requests.ts";

async function start(journalMaxBytes = 1_000_000) {
  const database = await openTestDatabase();
  const dataDir = temporaryDirectory();
  const ledger = new Ledger({
    database,
    dataDir,
    journalMaxBytes,
    find: () => Promise.resolve(undefined),
    settleAfterMs: 60_000,
    settleGiveUpMs: 60_000,
    logger: createLogger("silent", { write: () => {} }),
  });
  ledger.start();
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => (closed ??= ledger.close());
  onTestFinished(close);
  const directory = join(dataDir, "journal");
  const journal = (): string =>
    readdirSync(directory)
      .filter((name) => name.endsWith(".jsonl"))
      .map((name) => readFileSync(join(directory, name), "utf8"))
      .join("");
  const rows = () => database.kysely.selectFrom("requests").selectAll().orderBy("id").execute();
  return { ledger, close, directory, journal, rows };
}

/** Begins the account of a request. @returns why it may not be sent, if it may not. */
function begin(ledger: Ledger, exchange: Exchange): Promise<GatewayError | undefined> {
  const { promise, resolve } = Promise.withResolvers<GatewayError | undefined>();
  ledger.begin(exchange, resolve);
  return within(promise, "the account to begin");
}

/** Ends a request with its cost. */
function end(ledger: Ledger, exchange: Exchange): void {
  const { account } = exchange;
  ledger.end(Object.assign(exchange, endedExchange(), { account }));
}

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

const HEAD = { status: 200, headers: { "x-generation-id": "gen-7" } };

test("a request may be sent when its beginning is on the disk, and not before", async () => {
  const { ledger, journal } = await start();
  const exchange = newExchange();
  const { promise, resolve } = Promise.withResolvers<string>();
  ledger.begin(exchange, () => resolve(journal()));
  expect(journal()).not.toContain('"open"');
  expect(await within(promise, "the account to begin")).toContain(exchange.requestId);
});

test("an answer is given on when its head is on the disk, in its order", async () => {
  const { ledger, journal } = await start();
  const exchange = newExchange();
  await begin(ledger, exchange);
  const { told, sink } = noting();
  const held = exchange.account?.hold(sink, exchange) as UpstreamSink;
  held.onRetry();
  held.onHead(HEAD);
  held.onData(Buffer.from("a"));
  held.onData(Buffer.from("b"));
  held.onEnd();
  expect(told).toEqual(["retry"]);
  // What is known of it is known at once: the caller may leave before the head is kept.
  expect([exchange.generationId, exchange.upstreamStatus]).toEqual(["gen-7", 200]);
  await until(() => told.length > 1, "the answer");
  expect(told).toEqual(["retry", "head 200", "a", "b", "end"]);
  expect(journal()).toContain('{"status":200,"generationId":"gen-7"}');
});

test("what comes after the head was kept is given on at once", async () => {
  const { ledger } = await start();
  const exchange = newExchange();
  await begin(ledger, exchange);
  const { told, sink } = noting();
  const held = exchange.account?.hold(sink, exchange) as UpstreamSink;
  held.onHead(HEAD);
  await until(() => told.length > 0, "the head");
  held.onData(Buffer.from("a"));
  expect(told).toEqual(["head 200", "a"]);
});

test("the generation of a request that goes on is in the database, should the disk be lost with its process", async () => {
  const { ledger, rows } = await start();
  const exchange = newExchange();
  await begin(ledger, exchange);
  await until(async () => (await rows()).length === 1, "its beginning");
  exchange.account?.hold(noting().sink, exchange).onHead(HEAD);
  await until(async () => (await rows())[0]?.generation_id === "gen-7", "its generation");
  expect(await rows()).toMatchObject([{ state: "open", generation_id: "gen-7" }]);
});

test("a caller who leaves while the head is held back is accounted for with its generation", async () => {
  const { ledger, rows, close } = await start();
  const exchange = newExchange();
  await begin(ledger, exchange);
  exchange.account?.hold(noting().sink, exchange).onHead(HEAD);
  exchange.sent = true;
  exchange.outcome = "client_gone";
  ledger.end(exchange);
  await close();
  expect(await rows()).toMatchObject([{ state: "pending", generation_id: "gen-7", outcome: "client_gone" }]);
});

test("requests that begin at once have rows of their own, in their order, and leave no journal", async () => {
  const { ledger, rows, close, directory } = await start();
  const exchanges = Array.from({ length: 1_500 }, () => newExchange());
  expect(await Promise.all(exchanges.map((exchange) => begin(ledger, exchange)))).toEqual(
    Array(1_500).fill(undefined),
  );
  for (const exchange of exchanges) end(ledger, exchange);
  for (const exchange of exchanges) ledger.end(exchange);
  await close();
  const written = await rows();
  expect(written).toHaveLength(1_500);
  expect(written.every((row) => row.state === "settled" && row.cost_nanodollars === 5)).toBe(true);
  expect(readdirSync(directory)).toEqual([]);
});

test("what cannot be kept may not be sent and has no row, until there is room", async () => {
  const { ledger, rows, close } = await start(300);
  const first = [newExchange(), newExchange()];
  for (const exchange of first) expect(await begin(ledger, exchange)).toBeUndefined();
  const refused = newExchange();
  const error = await begin(ledger, refused);
  expect(error).toMatchObject({ code: "store_unavailable", status: 503, headers: { "retry-after": "5" } });
  expect(refused.account).toBeUndefined();
  ledger.end(refused);
  for (const exchange of first) end(ledger, exchange);
  const next = await until(async () => {
    const exchange = newExchange();
    return (await begin(ledger, exchange)) ? undefined : exchange;
  }, "room");
  end(ledger, next);
  await close();
  expect((await rows()).map(({ state }) => state)).toEqual(["settled", "settled", "settled"]);
});

test("a request whose caller left before its beginning was kept has a row that costs nothing", async () => {
  const { ledger, rows, close } = await start();
  const exchange = newExchange();
  const kept = begin(ledger, exchange);
  exchange.outcome = "client_gone";
  ledger.end(exchange);
  expect(await kept).toBeUndefined();
  await close();
  expect(await rows()).toMatchObject([
    { state: "settled", cost_nanodollars: 0, cost_source: "none", outcome: "client_gone" },
  ]);
});

test("one request whose start fails does not keep those of the same turn waiting", async () => {
  const { ledger } = await start();
  const { promise: caught, resolve } = Promise.withResolvers<unknown>();
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.once("uncaughtException", resolve);
  onTestFinished(() => {
    for (const listener of listeners) process.on("uncaughtException", listener);
  });
  ledger.begin(newExchange(), () => {
    throw new Error("it broke");
  });
  const next = begin(ledger, newExchange());
  expect(await next).toBeUndefined();
  expect(await within(caught, "the error to be told of")).toMatchObject({ message: "it broke" });
});
