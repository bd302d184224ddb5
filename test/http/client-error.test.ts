import { expect, test } from "vitest";
import { AUTHORIZATION, CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { EVENT, startHeldUpstream } from "../support/held-upstream.ts";
import { RawClient } from "../support/raw-client.ts";
import { startScriptedUpstream } from "../support/scripted-upstream.ts";
import { waitUntil } from "../support/wait.ts";

test("never writes into a running response when garbage follows two pipelined requests", async () => {
  const { upstream } = await startHeldUpstream();
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, buildChatBody(), AUTHORIZATION);
  client.post(CHAT_PATH, buildChatBody({ stream: true }), AUTHORIZATION);
  await waitUntil(() => client.received.includes(EVENT), "the stream after the first response");
  client.send("GARBAGE\r\n\r\n");
  await client.waitForEnd("the connection");
  expect(client.received.toString().match(/HTTP\/1\.1 /g)?.length).toBe(2);
  expect(client.received.includes("bad_request")).toBe(false);
  await waitUntil(() => upstream.open.size <= 1, "the upstream request to be aborted");
});

test("responds once to garbage after a request that still waits for upstream, and aborts the upstream request", async () => {
  const upstream = await startScriptedUpstream(() => {});
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, buildChatBody(), AUTHORIZATION);
  await waitUntil(() => upstream.seen.length === 1, "the request at upstream");
  client.send("GARBAGE\r\n\r\n");
  const response = await client.waitForEnd("the refusal");
  expect([response?.status, response?.headers["connection"]]).toEqual([400, "close"]);
  await waitUntil(() => upstream.open.size === 0, "the upstream request to be aborted");
  expect(await gateway.waitForRequestLog("the refused request")).toMatchObject({
    status: 400,
    outcome: "rejected",
  });
});
