import { readdirSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { until, within } from "../support/until.ts";
import { createRequestContext } from "../support/request-contexts.ts";
import { begin, end, startLedger } from "../support/usage-recorder.ts";

test("a request may be sent when its beginning is on the disk, and not before", async () => {
  const { ledger, journal } = await startLedger();
  const context = createRequestContext();
  const { promise, resolve } = Promise.withResolvers<string>();
  ledger.begin(context, () => resolve(journal()));
  expect(journal()).not.toContain('"open"');
  expect(await within(promise, "the account to begin")).toContain(context.requestId);
});

test("requests that begin at once have rows of their own, in their order, and leave no journal", async () => {
  const { ledger, rows, close, directory } = await startLedger();
  const exchanges = Array.from({ length: 1_500 }, () => createRequestContext());
  expect(await Promise.all(exchanges.map((context) => begin(ledger, context)))).toEqual(
    Array(1_500).fill(undefined),
  );
  for (const context of exchanges) end(ledger, context);
  for (const context of exchanges) ledger.end(context);
  await close();
  const written = await rows();
  expect(written).toHaveLength(1_500);
  expect(written.every((row) => row.state === "settled" && row.cost_nanodollars === 5)).toBe(true);
  expect(readdirSync(directory)).toEqual([]);
});

test("what cannot be kept may not be sent and has no row, until there is room", async () => {
  const { ledger, rows, close } = await startLedger(300);
  const first = [createRequestContext(), createRequestContext()];
  for (const context of first) expect(await begin(ledger, context)).toBeUndefined();
  const refused = createRequestContext();
  const error = await begin(ledger, refused);
  expect(error).toMatchObject({ code: "store_unavailable", status: 503, headers: { "retry-after": "5" } });
  expect(refused.meter).toBeUndefined();
  ledger.end(refused);
  for (const context of first) end(ledger, context);
  const next = await until(async () => {
    const context = createRequestContext();
    return (await begin(ledger, context)) ? undefined : context;
  }, "room");
  end(ledger, next);
  await close();
  expect((await rows()).map(({ state }) => state)).toEqual(["settled", "settled", "settled"]);
});

test("a request whose caller left before its beginning was kept has a row that costs nothing", async () => {
  const { ledger, rows, close } = await startLedger();
  const context = createRequestContext();
  const kept = begin(ledger, context);
  context.outcome = "client_gone";
  ledger.end(context);
  expect(await kept).toBeUndefined();
  await close();
  expect(await rows()).toMatchObject([
    { state: "settled", cost_nanodollars: 0, cost_source: "none", outcome: "client_gone" },
  ]);
});

test("one request whose start fails does not keep those of the same turn waiting", async () => {
  const { ledger } = await startLedger();
  const { promise: caught, resolve } = Promise.withResolvers<unknown>();
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.once("uncaughtException", resolve);
  onTestFinished(() => {
    for (const listener of listeners) process.on("uncaughtException", listener);
  });
  ledger.begin(createRequestContext(), () => {
    throw new Error("it broke");
  });
  const next = begin(ledger, createRequestContext());
  expect(await next).toBeUndefined();
  expect(await within(caught, "the error to be told of")).toMatchObject({ message: "it broke" });
});
