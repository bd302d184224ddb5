import { COMPLETION_FORMAT } from "../../src/relay/response-format.ts";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { FastifyReply, FastifyRequest } from "fastify";
import { expect, onTestFinished, test, vi } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { Connections } from "../../src/http/connections.ts";
import { readResponseHead } from "../../src/upstream/response-head.ts";
import { RequestContext } from "../../src/http/request-context.ts";
import { closeStalledClients } from "../../src/http/stalled-clients.ts";
import { Relay } from "../../src/relay/relay.ts";
import { RawClient } from "../support/raw-client.ts";
import { createIdleCall } from "../support/upstream-call.ts";
import { waitUntil } from "../support/wait.ts";

const FAR_MORE_THAN_BUFFERS_HOLD = Buffer.alloc(64 * 1_048_576, 0x20);
const HEAD = readResponseHead(200, { "content-type": "application/json", "content-length": "2" });
const STREAM_HEAD = readResponseHead(200, { "content-type": "text/event-stream" });
const STALL_MS = 200;

/** Starts a relay that responds to a client over a real connection, without a gateway. */
async function startRelay(wasSent = true) {
  const { promise, resolve } = Promise.withResolvers<ServerResponse>();
  const server = createServer((_, received) => resolve(received)).listen(0, "127.0.0.1");
  closeStalledClients(server, new Connections(server), STALL_MS);
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const client = new RawClient((server.address() as AddressInfo).port);
  client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  const response = await promise;
  const socket = response.socket as Socket;
  const call = createIdleCall({
    wasSent,
    abort: vi.fn<() => void>(),
    pause: vi.fn<() => void>(),
    resume: vi.fn<() => void>(),
  });
  const stub = {
    raw: response,
    hijack: () => stub,
    getHeaders: () => ({}),
    server: { shutdown: { isShuttingDown: false } },
  };
  const reply = stub as unknown as FastifyReply;
  const request = {
    id: "id",
    method: "POST",
    routeOptions: { url: "/" },
    raw: response.req,
  } as FastifyRequest;
  const context = new RequestContext(request, reply, () => {});
  request.context = context;
  const relay = new Relay(
    request,
    reply,
    {
      usesOperatorKey: true,
      headWaitMs: 0,
      drainBounds: undefined,
      totalTimeoutMs: 60_000,
      responseLimitBytes: Infinity,
    },
    COMPLETION_FORMAT,
  );
  relay.start(() => call);
  return { client, socket, context, call, relay, response };
}

test("closes the connection after the stall timeout when the client does not read the end of a response", async () => {
  const { client, socket, context, call, relay } = await startRelay();
  client.socket.pause();
  socket.write(FAR_MORE_THAN_BUFFERS_HOLD);
  relay.onHead(HEAD);
  relay.onEnd();
  expect(context.outcome).toBe("complete");
  await waitUntil(() => socket.destroyed, "the connection to be closed");
  relay.onClose();
  expect(context.outcome).toBe("client_gone");
  expect(call.abort).not.toHaveBeenCalled();
});

test("completes a response that the client reads at once", async () => {
  const { client, context, relay, response } = await startRelay();
  relay.onHead(HEAD);
  relay.onData(Buffer.from("{}"));
  await waitUntil(() => client.readResponse()?.body.length === 2, "the body");
  relay.onEnd();
  await waitUntil(() => response.writableFinished, "the end");
  relay.onClose();
  expect(context.outcome).toBe("complete");
});

test("pauses upstream once each time the client falls behind", async () => {
  const { client, call, relay } = await startRelay();
  relay.onHead(STREAM_HEAD);
  for (const times of [1, 2]) {
    client.socket.pause();
    relay.onData(FAR_MORE_THAN_BUFFERS_HOLD);
    relay.onData(Buffer.from("more"));
    expect([call.pause.mock.calls.length, call.resume.mock.calls.length]).toEqual([times, times - 1]);
    client.socket.resume();
    await waitUntil(() => call.resume.mock.calls.length === times, "upstream to be resumed");
  }
});

test("ignores an abort after the end of a response", async () => {
  const { context, relay } = await startRelay();
  relay.onHead(HEAD);
  relay.onEnd();
  relay.abort(new GatewayError("shutting_down", "The gateway is shutting down."));
  expect([context.outcome, context.errorCode, context.isIncomplete]).toEqual(["complete", undefined, false]);
});

test.each(["before", "after"])(
  "aborts upstream once when the client disconnects %s the head",
  async (when) => {
    const { context, call, relay } = await startRelay();
    if (when === "after") relay.onHead(HEAD);
    relay.onClose();
    relay.onClose();
    expect([call.abort.mock.calls.length, context.outcome]).toEqual([1, "client_gone"]);
  },
);

test("aborts the upstream request and logs the error when the gateway aborts a response", async () => {
  const { client, context, call, relay } = await startRelay();
  relay.onHead(STREAM_HEAD);
  relay.abort(new GatewayError("shutting_down", "The gateway is shutting down."));
  expect(call.abort).toHaveBeenCalledTimes(1);
  expect(context).toMatchObject({ outcome: "rejected", errorCode: "shutting_down", isIncomplete: true });
  const stream = await client.waitForEnd("the aborted stream");
  expect(stream?.body.toString()).toContain('"reason":"shutting_down"');
});

test.each([
  ["forbids a retry", "was", true, "false"],
  ["leaves the retry to the client", "was not", false, undefined],
])("respondWithError %s when the request %s sent upstream", async (_, __, wasSent, shouldRetry) => {
  const { client, relay } = await startRelay(wasSent);
  relay.respondWithError(new GatewayError("request_timeout", "The request took too long to arrive."));
  const error = await client.waitForResponse("the error");
  expect([error.status, error.headers["x-should-retry"]]).toEqual([408, shouldRetry]);
});

test("sends nothing upstream when the client has already disconnected", async () => {
  const { context, call, relay } = await startRelay();
  context.endedAt = performance.now();
  const send = vi.fn<() => typeof call>(() => call);
  relay.start(send);
  expect(send).not.toHaveBeenCalled();
});

test("counts each retry, and records the time of the first body byte only once", async () => {
  const { context, relay } = await startRelay();
  relay.onRetry();
  relay.onRetry();
  relay.onHead(HEAD);
  expect([context.retries, context.firstByteAt, context.bytesOut]).toEqual([2, 0, 0]);
  relay.onData(Buffer.from("{"));
  const first = context.firstByteAt;
  expect(first).toBeGreaterThan(0);
  await waitUntil(() => performance.now() > first, "the clock to move");
  relay.onData(Buffer.from("}"));
  expect([context.firstByteAt, context.bytesOut]).toEqual([first, 2]);
});
