import { createHeadRecorder } from "../../src/relay/head-recorder.ts";
import type { ServerResponse } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Dispatcher } from "undici";
import { RequestContext } from "../../src/http/request-context.ts";
import type { UsageRecorder } from "../../src/metering/usage-recorder.ts";
import { Relay } from "../../src/relay/relay.ts";
import { Call } from "../../src/upstream/call.ts";
import { RESPONSE_HEADERS } from "./traffic.ts";

const RESPONSE_HEAD = { ...RESPONSE_HEADERS, "content-type": "text/event-stream" };
const CONTROLLER = {
  abort: () => {},
  pause: () => {},
  resume: () => {},
} as unknown as Dispatcher.DispatchController;
const MODEL = "openai/gpt-4o-mini";

/**
 * Relays one stream without sockets, from the state in which its request body has been read to the request's report.
 * @param recorder records the request in a ledger; undefined: no ledger. @param response the events of the stream.
 */
export function relayCannedStream(
  recorder: UsageRecorder | undefined,
  response: readonly Buffer[],
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const { request, reply, context } = createRequest((ended) => {
    ended.meter?.end(ended);
    resolve();
  });
  const relay = new Relay(request, reply, {
    usesOperatorKey: true,
    headWaitMs: 0,
    drainBounds: undefined,
    totalTimeoutMs: 60_000,
    responseLimitBytes: Infinity,
  });
  const attempt = createAttempt(response, () => {
    context.endedAt = performance.now();
    relay.onClose();
  });
  const start = (): void =>
    relay.start(
      (sink) =>
        new Call(attempt, sink, { body: undefined, beforeHead: createHeadRecorder(context), retryForMs: 0 }),
    );
  if (recorder) recorder.begin(context, (error) => (error ? reject(error) : start()));
  else start();
  return promise;
}

/** Creates a simulated upstream request whose response has its head in one turn of the event loop and the rest in the next. */
function createAttempt(response: readonly Buffer[], ended: () => void) {
  return (handler: Dispatcher.DispatchHandler): void => {
    handler.onRequestStart?.(CONTROLLER, undefined);
    setImmediate(() => {
      handler.onResponseStart?.(CONTROLLER, 200, RESPONSE_HEAD);
      setImmediate(() => {
        for (const event of response) handler.onResponseData?.(CONTROLLER, event);
        handler.onResponseEnd?.(CONTROLLER, {});
        ended();
      });
    });
  };
}

let count = 0;

function createRequest(report: (context: RequestContext) => void) {
  const reply = { raw: createResponse(), hijack: () => {}, getHeaders: () => ({}), server: SERVER };
  const id = `00000000-0000-4000-8000-${String(count++).padStart(12, "0")}`;
  const request = { id, method: "POST", routeOptions: { url: "/" } } as FastifyRequest;
  const context = new RequestContext(request, reply as unknown as FastifyReply, report);
  context.keyId = "env:bench";
  context.keyName = "bench";
  context.requestedModel = `openrouter/${MODEL}`;
  context.forwardedModel = MODEL;
  context.stream = true;
  request.context = context;
  return { request, reply: reply as unknown as FastifyReply, context };
}

const SERVER = { shutdown: { isShuttingDown: false } };

/** Creates a response whose client reads everything at once. */
function createResponse(): ServerResponse {
  const stub = {
    headersSent: false,
    statusCode: 200,
    writableEnded: false,
    writableFinished: false,
    socket: null,
    on: () => {},
    flushHeaders: () => {},
    writeHead: () => void (stub.headersSent = true),
    write: () => true,
    end: () => void (stub.writableEnded = stub.writableFinished = true),
  };
  return stub as unknown as ServerResponse;
}
