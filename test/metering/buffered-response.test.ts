import { createHeadRecorder } from "../../src/relay/head-recorder.ts";
import { readResponseHead } from "../../src/upstream/response-head.ts";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Dispatcher } from "undici";
import { expect, test } from "vitest";
import type { RequestContext } from "../../src/http/request-context.ts";
import { recoverJournals } from "../../src/metering/journal/replay.ts";
import { ResponseInspector } from "../../src/relay/response-inspector.ts";
import type { RequestRow } from "../../src/metering/record.ts";
import { Call, type UpstreamSink } from "../../src/upstream/call.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait.ts";
import { createRequestContext } from "../support/request-context.ts";
import { beginRequest, endRequest, startRecorder } from "../support/usage-recorder.ts";

/** A sink that records its calls. */
function recordCalls(): { calls: string[]; sink: UpstreamSink } {
  const calls: string[] = [];
  const sink: UpstreamSink = {
    onHead: ({ status }) => void calls.push(`head ${status}`),
    onData: (chunk) => void calls.push(chunk.toString()),
    onEnd: () => void calls.push("end"),
    onFailure: ({ code }) => void calls.push(code),
    onSent: () => {},
    onRetry: () => void calls.push("retry"),
  };
  return { calls, sink };
}

/** An upstream call that the test responds to itself, buffered until its head is in the journal. */
function startBufferedCall(context: RequestContext, sink: UpstreamSink) {
  let handler: Dispatcher.DispatchHandler = {};
  const flow: string[] = [];
  const controller = {
    abort: () => {},
    pause: () => void flow.push("pause"),
    resume: () => void flow.push("resume"),
  } as unknown as Dispatcher.DispatchController;
  const call = new Call(
    (of) => {
      handler = of;
      handler.onRequestStart?.(controller, undefined);
    },
    sink,
    { body: undefined, beforeHead: createHeadRecorder(context), retryForMs: 0 },
  );
  return {
    call,
    flow,
    head: () => handler.onResponseStart?.(controller, HEAD.status, HEAD.headers),
    data: (text: string) => handler.onResponseData?.(controller, Buffer.from(text)),
    end: () => handler.onResponseEnd?.(controller, {}),
    fail: () => handler.onResponseError?.(controller, new Error("It broke off.")),
  };
}

/** A request whose start is in the journal, and whose response is buffered until its head is too. */
async function startHeld() {
  const ledger = await startRecorder();
  const context = createRequestContext();
  await beginRequest(ledger.recorder, context);
  const { calls, sink } = recordCalls();
  return { ...ledger, context, calls, sink, held: startBufferedCall(context, sink) };
}

const HEAD = { status: 200, headers: { "x-generation-id": "gen-7" } };

test("delivers a response in order once its head is on disk", async () => {
  const { calls, held, context, journal } = await startHeld();
  held.head();
  held.data("a");
  held.data("b");
  held.end();
  expect(calls).toEqual([]);
  // The context has the head at once, because the client may disconnect before the journal has it.
  expect([context.generationId, context.upstreamStatus]).toEqual(["gen-7", 200]);
  await waitUntil(() => calls.length > 0, "the response");
  expect(calls).toEqual(["head 200", "a", "b", "end"]);
  expect(journal()).toContain('{"status":200,"generationId":"gen-7"}');
});

test("pauses upstream at 64 KiB until the head is on the disk", async () => {
  const { calls, held } = await startHeld();
  held.head();
  held.data("a".repeat(65_536));
  expect(held.flow).toEqual([]);
  held.data("b");
  // A relay that drains the response resumes, but no more than 64 KiB may be buffered.
  held.call.resume();
  expect(held.flow).toEqual(["pause"]);
  await waitUntil(() => calls.length === 3, "the response");
  expect(held.flow).toEqual(["pause", "resume"]);
});

test("stays paused when the head is on the disk and the client does not read", async () => {
  const { calls, held } = await startHeld();
  held.head();
  held.data("a".repeat(65_537));
  held.call.pause();
  await waitUntil(() => calls.length === 2, "the response");
  expect(held.flow).toEqual(["pause", "pause"]);
  held.call.resume();
  expect(held.flow.at(-1)).toBe("resume");
});

test("delivers data at once after the head is in the journal", async () => {
  const { calls, held } = await startHeld();
  held.head();
  await waitUntil(() => calls.length > 0, "the head");
  held.data("a");
  held.end();
  expect(calls).toEqual(["head 200", "a", "end"]);
});

test("delivers a failure after the head and data that preceded it", async () => {
  const { calls, held } = await startHeld();
  held.head();
  held.data("a");
  held.fail();
  expect(calls).toEqual([]);
  await waitUntil(() => calls.length > 0, "the head");
  expect(calls).toEqual(["head 200", "a", "upstream_disconnected"]);
});

test("delivers a failure at once when no head has arrived", async () => {
  const { calls, held } = await startHeld();
  held.fail();
  expect(calls).toEqual(["upstream_disconnected"]);
});

test("delivers no more buffered data after the sink has aborted the call", async () => {
  const { calls, sink, held, journal } = await startHeld();
  sink.onData = (chunk) => {
    calls.push(chunk.toString());
    held.call.abort();
  };
  held.head();
  held.data("a");
  held.data("b");
  held.end();
  await waitUntil(() => calls.length > 1, "the first chunk");
  expect(journal()).toContain("gen-7");
  expect(calls).toEqual(["head 200", "a"]);
});

test("delivers nothing when the call is aborted while its head is buffered", async () => {
  const { calls, held, journal } = await startHeld();
  held.head();
  held.data("a");
  held.call.abort();
  await waitUntil(() => journal().includes("gen-7"), "the head in the journal");
  await new Promise(setImmediate);
  expect(calls).toEqual([]);
});

test("writes the generation id of an open request to the database, so that a lost disk does not lose it", async () => {
  const { held, rows } = await startHeld();
  await waitUntil(async () => (await rows()).length === 1, "the open row");
  held.head();
  await waitUntil(async () => (await rows())[0]?.generation_id === "gen-7", "the generation id");
  expect(await rows()).toMatchObject([{ state: "open", generation_id: "gen-7" }]);
});

test("records the generation id of a client that disconnects while the head is buffered", async () => {
  const { held, context, rows, close } = await startHeld();
  held.head();
  context.wasSent = true;
  context.outcome = "client_gone";
  context.meter?.end(context);
  await close();
  expect(await rows()).toMatchObject([{ state: "pending", generation_id: "gen-7", outcome: "client_gone" }]);
});

test("records a generation id that only the body states in the journal", async () => {
  const { context, journal, directory, close } = await startHeld();
  const head = readResponseHead(200, { "content-type": "text/event-stream" });
  let passed = false;
  createHeadRecorder(context)?.(head, () => (passed = true));
  await waitUntil(() => passed, "the head to be released");
  const inspector = new ResponseInspector();
  inspector.onHead(head, context);
  inspector.push(Buffer.from('data: {"id":"gen-late","choices":[]}\n\n'));
  expect(context.generationId).toBe("gen-late");
  await waitUntil(() => journal().includes('"gen-late"'), "the id to be in the journal");
  // A gateway that finds this journal after a crash knows whose cost to look up.
  const found: RequestRow[] = [];
  const copy = createTemporaryDirectory();
  writeFileSync(join(copy, "dead.1.jsonl"), journal());
  await recoverJournals(copy, "own", (rows) => Promise.resolve(found.push(...rows)));
  expect(found).toMatchObject([{ generation_id: "gen-late", state: "pending" }]);
  endRequest(context);
  await close();
  expect(readdirSync(directory)).toEqual([]);
});
