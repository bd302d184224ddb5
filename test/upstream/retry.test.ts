import { readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { expect, test } from "vitest";
import { sendRequest } from "../support/send-request.ts";
import { AUTHORIZATION, CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { waitUntil } from "../support/wait.ts";
import { findFreePort } from "../support/ports.ts";

const OK_RESPONSE = formatResponse(200, { "content-type": "application/json" }, "{}");

const read = (name: string) => readFileSync(new URL(`../fixtures/tls/self-signed.${name}`, import.meta.url));

test("tries an unreachable upstream three times, and then allows the client to retry", async () => {
  const gateway = await startTestGateway(`http://127.0.0.1:${await findFreePort()}/api/v1`);
  const response = await sendRequest(gateway.port);
  expect(response.status).toBe(502);
  expect(JSON.parse(response.body.toString())).toMatchObject({ error: { code: "upstream_unreachable" } });
  expect(response.headers["x-should-retry"]).toBeUndefined();
  expect(await gateway.waitForRequestLog("the unreachable upstream")).toMatchObject({
    retries: 2,
    cause: "ECONNREFUSED",
  });
});

test("sends a request once to an upstream that becomes reachable at the second attempt", async () => {
  const port = await findFreePort();
  const gateway = await startTestGateway(`http://127.0.0.1:${port}/api/v1`);
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, buildChatBody(), AUTHORIZATION);
  // The first attempt is refused at about this time; the second follows at least 50 ms later.
  let requests = 0;
  const server = createServer((socket) =>
    socket.once("data", () => {
      requests++;
      socket.end(OK_RESPONSE);
    }),
  );
  await new Promise<void>((resolve) => setTimeout(() => server.listen(port, "127.0.0.1", resolve), 30));
  expect((await client.waitForResponse("the retried request")).status).toBe(200);
  expect(requests).toBe(1);
  await new Promise((resolve) => server.close(resolve));
});

test("returns upstream_unreachable for a host that does not exist", async () => {
  const gateway = await startTestGateway("http://no-such-host.invalid/api/v1");
  const response = await sendRequest(gateway.port);
  expect(JSON.parse(response.body.toString())).toMatchObject({ error: { code: "upstream_unreachable" } });
});

test("does not retry when a certificate cannot be verified", async () => {
  let connections = 0;
  const server = createTlsServer({ key: read("key"), cert: read("pem") });
  server.on("connection", () => connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const gateway = await startTestGateway(
    `https://localhost:${(server.address() as AddressInfo).port}/api/v1`,
  );
  const response = await sendRequest(gateway.port);
  expect(JSON.parse(response.body.toString())).toMatchObject({ error: { code: "upstream_unreachable" } });
  expect(await gateway.waitForRequestLog("the certificate")).toMatchObject({
    cause: "DEPTH_ZERO_SELF_SIGNED_CERT",
  });
  expect(connections).toBe(1);
  await new Promise((resolve) => server.close(resolve));
});

test("does not send a request whose client disconnects while the gateway connects to upstream", async () => {
  const port = await findFreePort();
  const gateway = await startTestGateway(`http://127.0.0.1:${port}/api/v1`);
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, buildChatBody(), AUTHORIZATION);
  await waitUntil(
    () => client.socket.bytesWritten > 0 && client.socket.writableLength === 0,
    "the request to be sent",
  );
  setTimeout(() => client.socket.resetAndDestroy(), 20);
  expect(await gateway.waitForRequestLog("the disconnected client")).toMatchObject({
    outcome: "client_gone",
  });
});

test("does not send a request twice when upstream has just closed its idle connection", async () => {
  const upstream = await startScriptedUpstream((socket, { line }) => {
    // Responds, then closes the connection while the gateway still considers it reusable.
    socket.write(OK_RESPONSE);
    if (line) setTimeout(() => socket.destroy(), 1);
  });
  const gateway = await startTestGateway(upstream.baseUrl);
  for (let sent = 1; sent <= 40; sent++) {
    const { status } = await sendRequest(gateway.port);
    expect([200, 502]).toContain(status);
    expect(upstream.seen.length).toBeLessThanOrEqual(sent);
  }
});

test("relays the final response without the interim responses", async () => {
  const hint = "HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n";
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(Buffer.concat([Buffer.from(hint + hint), OK_RESPONSE])),
  );
  const gateway = await startTestGateway(upstream.baseUrl);
  const response = await sendRequest(gateway.port);
  expect([response.status, response.body.toString(), response.headers["link"]]).toEqual([
    200,
    "{}",
    undefined,
  ]);
});

test("never relays a response that upstream sends early on an idle connection", async () => {
  let responses = 0;
  const upstream = await startScriptedUpstream((socket) => {
    const own = formatResponse(200, { "content-type": "application/json" }, `{"response":${++responses}}`);
    socket.write(own);
    setTimeout(
      () => socket.write(formatResponse(200, { "content-type": "application/json" }, '{"response":"early"}')),
      5,
    );
  });
  const gateway = await startTestGateway(upstream.baseUrl);
  for (let sent = 1; sent <= 5; sent++) {
    expect((await sendRequest(gateway.port)).body.toString()).toBe(`{"response":${sent}}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});
