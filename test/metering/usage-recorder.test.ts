import { readdirSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { waitUntil, waitFor } from "../support/wait.ts";
import { createRequestContext } from "../support/request-context.ts";
import { beginRequest, endRequest, startRecorder } from "../support/usage-recorder.ts";

test("allows a request to be sent once its start is on disk, and not before", async () => {
  const { recorder, journal } = await startRecorder();
  const context = createRequestContext();
  const { promise, resolve } = Promise.withResolvers<string>();
  recorder.begin(context, () => resolve(journal()));
  expect(journal()).not.toContain('"start"');
  expect(await waitFor(promise, "the start to be recorded")).toContain(context.requestId);
});

test("writes a row for each of many simultaneous requests and leaves no journal", async () => {
  const { recorder, rows, close, directory } = await startRecorder();
  const contexts = Array.from({ length: 1_500 }, () => createRequestContext());
  expect(await Promise.all(contexts.map((context) => beginRequest(recorder, context)))).toEqual(
    Array(1_500).fill(undefined),
  );
  for (const context of contexts) endRequest(context);
  for (const context of contexts) context.meter?.end(context);
  await close();
  const written = await rows();
  expect(written).toHaveLength(1_500);
  expect(written.every((row) => row.state === "settled" && row.cost_nanodollars === 5)).toBe(true);
  expect(readdirSync(directory)).toEqual([]);
});

test("rejects a request without writing a row while the journal is full", async () => {
  const { recorder, rows, close } = await startRecorder(500);
  const first = [createRequestContext(), createRequestContext()];
  for (const context of first) expect(await beginRequest(recorder, context)).toBeUndefined();
  const rejected = createRequestContext();
  const error = await beginRequest(recorder, rejected);
  expect(error).toMatchObject({ code: "store_unavailable", status: 503, headers: { "retry-after": "5" } });
  expect(rejected.meter).toBeUndefined();
  for (const context of first) endRequest(context);
  const next = await waitUntil(async () => {
    const context = createRequestContext();
    return (await beginRequest(recorder, context)) ? undefined : context;
  }, "room in the journal");
  endRequest(next);
  await close();
  expect((await rows()).map(({ state }) => state)).toEqual(["settled", "settled", "settled"]);
});

test("records a cost of 0 when the client disconnects before the start is in the journal", async () => {
  const { recorder, rows, close } = await startRecorder();
  const context = createRequestContext();
  const recorded = beginRequest(recorder, context);
  context.outcome = "client_gone";
  context.meter?.end(context);
  expect(await recorded).toBeUndefined();
  await close();
  expect(await rows()).toMatchObject([
    { state: "settled", cost_nanodollars: 0, cost_source: "none", outcome: "client_gone" },
  ]);
});

test("begins the other requests of a batch when the callback of one throws", async () => {
  const { recorder } = await startRecorder();
  const { promise: caught, resolve } = Promise.withResolvers<unknown>();
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.once("uncaughtException", resolve);
  onTestFinished(() => {
    for (const listener of listeners) process.on("uncaughtException", listener);
  });
  recorder.begin(createRequestContext(), () => {
    throw new Error("callback failed");
  });
  const next = beginRequest(recorder, createRequestContext());
  expect(await next).toBeUndefined();
  expect(await waitFor(caught, "the uncaught exception")).toMatchObject({
    message: "callback failed",
  });
});
