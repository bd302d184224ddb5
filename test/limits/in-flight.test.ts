import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { RequestContext } from "../../src/http/request-context.ts";
import { InFlight } from "../../src/limits/in-flight.ts";
import { createRequestContext } from "../support/request-context.ts";
import { sendRequest } from "../support/send-request.ts";
import { AUTHORIZATION, CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import {
  formatChunk,
  formatChunkedHead,
  formatResponse,
  type Script,
  startScriptedUpstream,
} from "../support/scripted-upstream.ts";
import { runNode } from "../support/run-node.ts";
import { waitUntil } from "../support/wait.ts";

test("the gateway refuses requests while MAX_IN_FLIGHT requests are in flight, and admits a new request when one of these ends", async () => {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(Buffer.concat([Buffer.from(formatChunkedHead()), formatChunk("data: 1\n\n")])),
  );
  const gateway = await startTestGateway(upstream.baseUrl, { MAX_IN_FLIGHT: "2" });
  const streams = [new RawClient(gateway.port), new RawClient(gateway.port)];
  for (const stream of streams) stream.post(CHAT_PATH, buildChatBody({ stream: true }), AUTHORIZATION);
  await waitUntil(() => streams.every((stream) => stream.readResponse()), "two streams");
  const refused = await sendRequest(gateway.port);
  expect([refused.status, refused.headers["retry-after"]]).toEqual([503, "1"]);
  expect(JSON.parse(refused.body.toString())).toMatchObject({
    error: { type: "server_error", code: "overloaded" },
  });
  expect((await sendRequest(gateway.port, { method: "GET", path: "/readyz", body: "" })).status).toBe(200);
  streams[0]?.socket.resetAndDestroy();
  const next = new RawClient(gateway.port);
  await waitUntil(async () => {
    const status = (await sendRequest(gateway.port, { body: "{}" })).status;
    return status === 400;
  }, "a free place");
  next.post(CHAT_PATH, buildChatBody({ stream: true }), AUTHORIZATION);
  expect((await waitUntil(() => next.readResponse(), "the next stream")).status).toBe(200);
});

test("a request releases its place, in whatever way the request ends", async () => {
  const endings: Script[] = [
    (socket) => socket.write(formatResponse(200, { "content-type": "application/json" }, "{}")),
    (socket) => socket.write(formatResponse(500, { "content-type": "application/json" }, "{}")),
    (socket) => socket.resetAndDestroy(),
    (socket) => socket.end(Buffer.concat([Buffer.from(formatChunkedHead()), formatChunk("data: 1\n\n")])),
    (socket) => socket.write(formatResponse(200, { "content-type": "text/html" }, "<p>")),
    () => {},
  ];
  let received = 0;
  const upstream = await startScriptedUpstream((...seen) => endings[received++ % endings.length]?.(...seen));
  const gateway = await startTestGateway(upstream.baseUrl, { MAX_IN_FLIGHT: "1" });
  for (let sent = 0; sent < 3 * endings.length; sent++) {
    const before = received;
    await waitUntil(async () => {
      const client = new RawClient(gateway.port);
      client.post(CHAT_PATH, buildChatBody(), AUTHORIZATION);
      await waitUntil(
        () => client.isClosed || client.readResponse() || received > before,
        "a response or the request at upstream",
      );
      if (client.readResponse()?.status === 503) return false;
      if (received % endings.length === 0) client.socket.resetAndDestroy();
      else
        await waitUntil(() => client.isClosed || client.readResponse()?.complete, "the end of the response");
      return true;
    }, `a place after ending ${sent}`);
  }
  expect(received).toBe(3 * endings.length);
});

test("an ended request does not keep later requests in memory", async () => {
  const churn = runNode("test/support/churn-process.ts");
  expect(await churn.waitForExit("sixty thousand requests", 25_000)).toBe(0);
  const { collections, count } = JSON.parse(churn.stdout()) as { collections: number; count: number };
  expect(count).toBe(32);
  // An implementation with a Set caused eight major garbage collections.
  expect(collections).toBeLessThanOrEqual(3);
});

test("requests can leave in any order, and the remaining requests keep their places", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(7), { maxLength: 60 }), (steps) => {
      const inFlight = new InFlight(8);
      const aborted: RequestContext[] = [];
      const all = Array.from({ length: 8 }, () => {
        const context = createRequestContext();
        context.abort = () => void aborted.push(context);
        return context;
      });
      const inside = new Set<RequestContext>();
      for (const step of steps) {
        const context = all[step] as RequestContext;
        if (inside.delete(context)) inFlight.leave(context);
        else {
          inFlight.leave(context);
          inFlight.enter(context);
          inside.add(context);
        }
        expect(inFlight.count).toBe(inside.size);
      }
      inFlight.abortAll();
      expect(new Set(aborted)).toEqual(inside);
    }),
  );
});
