import { expect, test } from "vitest";
import { AUTHORIZATION, CHAT_PATH, chatBody } from "../support/chat.ts";
import { startTestGateway } from "../support/gateway.ts";
import { EVENT, startHeldUpstream } from "../support/held-upstream.ts";
import { RawClient } from "../support/raw-client.ts";
import { startScriptedUpstream } from "../support/scripted-upstream.ts";
import { until } from "../support/until.ts";

test("garbage behind two pipelined requests never ends up inside the second answer", async () => {
  const { upstream } = await startHeldUpstream();
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, chatBody(), AUTHORIZATION);
  client.post(CHAT_PATH, chatBody({ stream: true }), AUTHORIZATION);
  await until(() => client.received.includes(EVENT), "the stream behind the first answer");
  client.send("GARBAGE\r\n\r\n");
  await client.ended("the connection");
  expect(client.received.toString().match(/HTTP\/1\.1 /g)?.length).toBe(2);
  expect(client.received.includes("bad_request")).toBe(false);
  await until(() => upstream.open.size <= 1, "upstream to be let go");
});

test("garbage behind a request that still waits for upstream is answered once, and upstream is aborted", async () => {
  const upstream = await startScriptedUpstream(() => {});
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, chatBody(), AUTHORIZATION);
  await until(() => upstream.seen.length === 1, "the request at upstream");
  client.send("GARBAGE\r\n\r\n");
  const response = await client.ended("the refusal");
  expect([response?.status, response?.headers["connection"]]).toEqual([400, "close"]);
  await until(() => upstream.open.size === 0, "upstream to be let go");
  expect(await gateway.requestLog("the refused request")).toMatchObject({ status: 400, outcome: "rejected" });
});
