import { createHeadRecorder } from "../../src/relay/head-recorder.ts";
import type { ServerResponse } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Dispatcher } from "undici";
import { expect, test, vi } from "vitest";
import { RequestContext } from "../../src/http/request-context.ts";
import { Relay } from "../../src/relay/relay.ts";
import { Call } from "../../src/upstream/call.ts";
import { beginRequest, startRecorder } from "../support/usage-recorder.ts";
import { waitUntil } from "../support/wait.ts";

const HEADERS = { "content-type": "text/event-stream", "transfer-encoding": "chunked" };
const WHOLE =
  'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"cost":0.5}}\n\ndata: [DONE]\n\n';

const OPTIONS = {
  usesOperatorKey: true,
  headWaitMs: 60_000,
  drainBounds: undefined,
  totalTimeoutMs: 60_000,
  responseLimitBytes: Infinity,
};

/** Starts a relay and the record of its request. @param response overrides fields of the unsent response. */
async function startRelay(response: { headersSent?: boolean } = {}) {
  const { recorder, journal, rows } = await startRecorder();
  const raw = { headersSent: false, writableFinished: false, on: () => {}, ...response };
  const reply = { raw: raw as unknown as ServerResponse, hijack: () => {} } as unknown as FastifyReply;
  const request = { id: "r-1", method: "POST", routeOptions: { url: "/" } } as FastifyRequest;
  const context = new RequestContext(request, reply, (ended) => ended.meter?.end(ended));
  context.stream = true;
  request.context = context;
  await beginRequest(recorder, context);
  return { context, relay: new Relay(request, reply, OPTIONS), journal, rows };
}

/** Sends a request whose client disconnects in the turn of the event loop in which the head arrives. */
async function disconnectWithHead(
  respond: (handler: Dispatcher.DispatchHandler, controller: Controller) => void,
) {
  const { context, relay, journal, rows } = await startRelay();
  const abort = vi.fn<() => void>();
  const controller = { abort, resume: () => {} } as unknown as Controller;
  let handler: Dispatcher.DispatchHandler = {};
  const attempt = (dispatchHandler: Dispatcher.DispatchHandler): void => {
    handler = dispatchHandler;
    handler.onRequestStart?.(controller, undefined);
  };
  relay.start(
    (sink) =>
      new Call(attempt, sink, { body: undefined, beforeHead: createHeadRecorder(context), retryForMs: 0 }),
  );
  respond(handler, controller);
  context.endedAt = performance.now();
  relay.onClose();
  const row = waitUntil(async () => (await rows()).find(({ state }) => state !== "open"), "the row");
  return { row, journal, abort };
}

type Controller = Dispatcher.DispatchController;

test("aborts at once when the client disconnects while a head with a generation id is being written to the journal", async () => {
  const { row, journal, abort } = await disconnectWithHead((handler, controller) =>
    handler.onResponseStart?.(controller, 200, { ...HEADERS, "x-generation-id": "gen-7" }),
  );
  expect(abort).toHaveBeenCalledOnce();
  await waitUntil(() => journal().includes('{"status":200,"generationId":"gen-7"}'), "the line");
  expect(await row).toMatchObject({ state: "pending", outcome: "client_gone", generation_id: "gen-7" });
});

test("records a cost of 0 when the client disconnects while the head of a refusal is being written to the journal", async () => {
  const { row } = await disconnectWithHead((handler, controller) => {
    handler.onResponseStart?.(controller, 429, { ...HEADERS, "content-type": "application/json" });
    handler.onResponseData?.(controller, Buffer.from('{"error":{"code":429,"message":"No"}}'));
    handler.onResponseEnd?.(controller, {});
  });
  expect(await row).toMatchObject({ state: "settled", outcome: "client_gone", cost_nanodollars: 0 });
});

test("reads the cost from a buffered response without a generation id when the client disconnects before the journal has the head", async () => {
  const { row } = await disconnectWithHead((handler, controller) => {
    handler.onResponseStart?.(controller, 200, HEADERS);
    handler.onResponseData?.(controller, Buffer.from(WHOLE));
    handler.onResponseEnd?.(controller, {});
  });
  expect(await row).toMatchObject({
    state: "settled",
    outcome: "client_gone",
    cost_nanodollars: 500_000_000,
  });
});

test("sends nothing upstream when the client receives an error while its request is written to the journal", async () => {
  const { relay } = await startRelay({ headersSent: true });
  const send = vi.fn<Parameters<Relay["start"]>[0]>();
  relay.start(send);
  expect(send).not.toHaveBeenCalled();
});
