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

/** A sink that writes down what it is told. */
function noting(): { told: string[]; sink: UpstreamSink } {
  const told: string[] = [];
  const sink: UpstreamSink = {
    onHead: ({ status }) => void told.push(`head ${status}`),
    onData: (chunk) => void told.push(chunk.toString()),
    onEnd: () => void told.push("end"),
    onFailure: ({ code }) => void told.push(code),
    onSent: () => {},
    onRetry: () => void told.push("retry"),
  };
  return { told, sink };
}

/** A request upstream that a test answers itself, held back until its head is kept. */
function holding(context: RequestContext, sink: UpstreamSink) {
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

/** A request whose account has begun, and whose answer is held back. */
async function startHeld() {
  const ledger = await startRecorder();
  const context = createRequestContext();
  await beginRequest(ledger.recorder, context);
  const { told, sink } = noting();
  return { ...ledger, context, told, sink, held: holding(context, sink) };
}

const HEAD = { status: 200, headers: { "x-generation-id": "gen-7" } };

test("an answer is given on when its head is on the disk, in its order", async () => {
  const { told, held, context, journal } = await startHeld();
  held.head();
  held.data("a");
  held.data("b");
  held.end();
  expect(told).toEqual([]);
  // What is known of it is known at once: the caller may leave before the head is kept.
  expect([context.generationId, context.upstreamStatus]).toEqual(["gen-7", 200]);
  await waitUntil(() => told.length > 0, "the answer");
  expect(told).toEqual(["head 200", "a", "b", "end"]);
  expect(journal()).toContain('{"status":200,"generationId":"gen-7"}');
});

test("pauses upstream at 64 KiB until the head is on the disk", async () => {
  const { told, held } = await startHeld();
  held.head();
  held.data("a".repeat(65_536));
  expect(held.flow).toEqual([]);
  held.data("b");
  // A relay that reads on for the bill resumes; still nothing more may be kept.
  held.call.resume();
  expect(held.flow).toEqual(["pause"]);
  await waitUntil(() => told.length === 3, "the answer");
  expect(held.flow).toEqual(["pause", "resume"]);
});

test("stays paused when the head is on the disk and the client does not read", async () => {
  const { told, held } = await startHeld();
  held.head();
  held.data("a".repeat(65_537));
  held.call.pause();
  await waitUntil(() => told.length === 2, "the answer");
  expect(held.flow).toEqual(["pause", "pause"]);
  held.call.resume();
  expect(held.flow.at(-1)).toBe("resume");
});

test("what comes after the head was kept is given on at once", async () => {
  const { told, held } = await startHeld();
  held.head();
  await waitUntil(() => told.length > 0, "the head");
  held.data("a");
  held.end();
  expect(told).toEqual(["head 200", "a", "end"]);
});

test("a failure after the head is told after what came before it", async () => {
  const { told, held } = await startHeld();
  held.head();
  held.data("a");
  held.fail();
  expect(told).toEqual([]);
  await waitUntil(() => told.length > 0, "the head");
  expect(told).toEqual(["head 200", "a", "upstream_disconnected"]);
});

test("the failure of a request that was not answered is told at once", async () => {
  const { told, held } = await startHeld();
  held.fail();
  expect(told).toEqual(["upstream_disconnected"]);
});

test("a sink hears nothing of what was held back once it has aborted the call", async () => {
  const { told, sink, held, journal } = await startHeld();
  sink.onData = (chunk) => {
    told.push(chunk.toString());
    held.call.abort();
  };
  held.head();
  held.data("a");
  held.data("b");
  held.end();
  await waitUntil(() => told.length > 1, "the first part");
  expect(journal()).toContain("gen-7");
  expect(told).toEqual(["head 200", "a"]);
});

test("a call that is aborted while its head is held back gives nothing on", async () => {
  const { told, held, journal } = await startHeld();
  held.head();
  held.data("a");
  held.call.abort();
  await waitUntil(() => journal().includes("gen-7"), "the head in the journal");
  await new Promise(setImmediate);
  expect(told).toEqual([]);
});

test("the generation of a request that goes on is in the database, should the disk be lost with its process", async () => {
  const { held, rows } = await startHeld();
  await waitUntil(async () => (await rows()).length === 1, "its beginning");
  held.head();
  await waitUntil(async () => (await rows())[0]?.generation_id === "gen-7", "its generation");
  expect(await rows()).toMatchObject([{ state: "open", generation_id: "gen-7" }]);
});

test("a caller who leaves while the head is held back is accounted for with its generation", async () => {
  const { held, context, rows, close } = await startHeld();
  held.head();
  context.wasSent = true;
  context.outcome = "client_gone";
  context.meter?.end(context);
  await close();
  expect(await rows()).toMatchObject([{ state: "pending", generation_id: "gen-7", outcome: "client_gone" }]);
});

test("an id that only the body states is kept as one that the head states is", async () => {
  const { context, journal, directory, close } = await startHeld();
  const head = readResponseHead(200, { "content-type": "text/event-stream" });
  let passed = false;
  createHeadRecorder(context)?.(head, () => (passed = true));
  await waitUntil(() => passed, "the head to pass");
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
