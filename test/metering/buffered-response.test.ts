import { COMPLETION_FORMAT } from "../../src/relay/response-format.ts";
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

/** Starts a call whose response the test sends. The call buffers the response until its head is in the journal. */
function startBufferedCall(context: RequestContext, sink: UpstreamSink) {
  let handler: Dispatcher.DispatchHandler = {};
  const flow: string[] = [];
  const controller = {
    abort: () => {},
    pause: () => void flow.push("pause"),
    resume: () => void flow.push("resume"),
  } as unknown as Dispatcher.DispatchController;
  const call = new Call(
    (dispatchHandler) => {
      handler = dispatchHandler;
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

/** Records the start of a request in the journal, and starts its buffered call. */
async function startBuffered() {
  const ledger = await startRecorder();
  const context = createRequestContext();
  await beginRequest(ledger.recorder, context);
  const { calls, sink } = recordCalls();
  return { ...ledger, context, calls, sink, buffered: startBufferedCall(context, sink) };
}

const HEAD = { status: 200, headers: { "x-generation-id": "gen-7" } };

test("delivers a response in order once its head is on disk", async () => {
  const { calls, buffered, context, journal } = await startBuffered();
  buffered.head();
  buffered.data("a");
  buffered.data("b");
  buffered.end();
  expect(calls).toEqual([]);
  // The context has the head at once, because the client may disconnect before the head is in the journal.
  expect([context.generationId, context.upstreamStatus]).toEqual(["gen-7", 200]);
  await waitUntil(() => calls.length > 0, "the response");
  expect(calls).toEqual(["head 200", "a", "b", "end"]);
  expect(journal()).toContain('{"status":200,"generationId":"gen-7"}');
});

test("pauses upstream after 64 KiB until the head is on disk", async () => {
  const { calls, buffered } = await startBuffered();
  buffered.head();
  buffered.data("a".repeat(65_536));
  expect(buffered.flow).toEqual([]);
  buffered.data("b");
  // A relay that drains the response calls resume(), but the call must not buffer more than 64 KiB.
  buffered.call.resume();
  expect(buffered.flow).toEqual(["pause"]);
  await waitUntil(() => calls.length === 3, "the response");
  expect(buffered.flow).toEqual(["pause", "resume"]);
});

test("stays paused after the head is on disk while the client does not read", async () => {
  const { calls, buffered } = await startBuffered();
  buffered.head();
  buffered.data("a".repeat(65_537));
  buffered.call.pause();
  await waitUntil(() => calls.length === 2, "the response");
  expect(buffered.flow).toEqual(["pause", "pause"]);
  buffered.call.resume();
  expect(buffered.flow.at(-1)).toBe("resume");
});

test("delivers data at once after the head is in the journal", async () => {
  const { calls, buffered } = await startBuffered();
  buffered.head();
  await waitUntil(() => calls.length > 0, "the head");
  buffered.data("a");
  buffered.end();
  expect(calls).toEqual(["head 200", "a", "end"]);
});

test("delivers a failure after the head and the data that arrived before it", async () => {
  const { calls, buffered } = await startBuffered();
  buffered.head();
  buffered.data("a");
  buffered.fail();
  expect(calls).toEqual([]);
  await waitUntil(() => calls.length > 0, "the head");
  expect(calls).toEqual(["head 200", "a", "upstream_disconnected"]);
});

test("delivers a failure at once when no head has arrived", async () => {
  const { calls, buffered } = await startBuffered();
  buffered.fail();
  expect(calls).toEqual(["upstream_disconnected"]);
});

test("delivers no more buffered data after the sink has aborted the call", async () => {
  const { calls, sink, buffered, journal } = await startBuffered();
  sink.onData = (chunk) => {
    calls.push(chunk.toString());
    buffered.call.abort();
  };
  buffered.head();
  buffered.data("a");
  buffered.data("b");
  buffered.end();
  await waitUntil(() => calls.length > 1, "the first chunk");
  expect(journal()).toContain("gen-7");
  expect(calls).toEqual(["head 200", "a"]);
});

test("delivers nothing when the call is aborted while its head is buffered", async () => {
  const { calls, buffered, journal } = await startBuffered();
  buffered.head();
  buffered.data("a");
  buffered.call.abort();
  await waitUntil(() => journal().includes("gen-7"), "the head in the journal");
  await new Promise(setImmediate);
  expect(calls).toEqual([]);
});

test("writes the generation id of an open request to the database, so that it survives a lost disk", async () => {
  const { buffered, rows } = await startBuffered();
  await waitUntil(async () => (await rows()).length === 1, "the open row");
  buffered.head();
  await waitUntil(async () => (await rows())[0]?.generation_id === "gen-7", "the generation id");
  expect(await rows()).toMatchObject([{ state: "open", generation_id: "gen-7" }]);
});

test("records the generation id when the client disconnects while the head is buffered", async () => {
  const { buffered, context, rows, close } = await startBuffered();
  buffered.head();
  context.wasSent = true;
  context.outcome = "client_gone";
  context.meter?.end(context);
  await close();
  expect(await rows()).toMatchObject([{ state: "pending", generation_id: "gen-7", outcome: "client_gone" }]);
});

test("adds the generation id to the journal when only the body states it", async () => {
  const { context, journal, directory, close } = await startBuffered();
  const head = readResponseHead(200, { "content-type": "text/event-stream" });
  let isReleased = false;
  createHeadRecorder(context)?.(head, () => (isReleased = true));
  await waitUntil(() => isReleased, "the head to be released");
  const inspector = new ResponseInspector(COMPLETION_FORMAT);
  inspector.onHead(head, context);
  inspector.push(Buffer.from('data: {"id":"gen-late","choices":[]}\n\n'));
  expect(context.generationId).toBe("gen-late");
  await waitUntil(() => journal().includes('"gen-late"'), "the id to be in the journal");
  // After a crash, another gateway can look up the cost by the id in this journal.
  const recovered: RequestRow[] = [];
  const copy = createTemporaryDirectory();
  writeFileSync(join(copy, "dead.1.jsonl"), journal());
  await recoverJournals(copy, "own", {
    write: (rows) => Promise.resolve(recovered.push(...rows)),
    onComplete: () => Promise.resolve(),
  });
  expect(recovered).toMatchObject([{ generation_id: "gen-late", state: "pending" }]);
  endRequest(context);
  await close();
  expect(readdirSync(directory)).toEqual([]);
});
