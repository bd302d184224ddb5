import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setImmediate as onImmediate } from "node:timers";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { stopListening } from "../../src/http/shutdown.ts";
import { CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { EVENT, startHeldUpstream } from "../support/held-upstream.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { isListening } from "../support/ports.ts";
import { RawClient } from "../support/raw-client.ts";
import { measureRunningMs, waitUntil, waitFor } from "../support/wait.ts";

test("stopListening accepts every connection in the kernel's backlog before it stops listening", async () => {
  const server = createServer();
  const accepted = new Set<Socket>();
  server.on("connection", (socket) => accepted.add(socket));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const clients = Array.from({ length: 50 }, () => connect(port, "127.0.0.1"));
  onTestFinished(() => [...clients, ...accepted].forEach((socket) => socket.destroy()));
  await stopListening(server);
  expect(server.listening).toBe(false);
  expect(accepted.size).toBe(clients.length);
});

test("stopListening finishes within 1.5 s in a process whose event loop is never idle", async () => {
  let isOver = false;
  onTestFinished(() => void (isOver = true));
  onImmediate(function turn(): void {
    const busyUntil = performance.now() + 0.2;
    while (performance.now() < busyUntil);
    if (!isOver) onImmediate(turn);
  });
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const stopped = waitFor(stopListening(server), "the server to stop listening");
  expect(await measureRunningMs(stopped)).toBeLessThan(1_500);
  expect(server.listening).toBe(false);
});

test("serves requests on connections that are in the kernel's backlog when the gateway stops", async () => {
  const { upstream } = await startHeldUpstream();
  const gateway = await startTestGateway(upstream.baseUrl);
  const clients = Array.from({ length: 50 }, () => new RawClient(gateway.port));
  for (const client of clients) client.send("GET /healthz HTTP/1.1\r\nhost: gateway\r\n\r\n");
  const stopped = gateway.stop({ delayMs: 0, graceMs: 60_000 });
  for (const client of clients)
    expect(await client.waitForResponse("a client")).toMatchObject({ status: 200 });
  await waitFor(stopped, "the gateway to stop");
});

test("without a shutdown delay, the gateway asks clients to close their connections only after it has stopped listening", async () => {
  const { upstream } = await startHeldUpstream();
  const gateway = await startTestGateway(upstream.baseUrl);
  const [early, late] = [new RawClient(gateway.port), new RawClient(gateway.port)];
  const readConnectionHeader = async (client: RawClient): Promise<string | undefined> => {
    client.send("GET /healthz HTTP/1.1\r\nhost: gateway\r\n\r\n");
    return (await client.waitForResponse("a response")).headers["connection"];
  };
  await waitUntil(() => late.socket.readyState === "open", "a connection");
  // Keeps the event loop busy for a while.
  let isOver = false;
  onTestFinished(() => void (isOver = true));
  onImmediate(function turn(): void {
    const busyUntil = performance.now() + 1;
    while (performance.now() < busyUntil);
    if (!isOver) onImmediate(turn);
  });
  const stopped = gateway.stop({ delayMs: 0, graceMs: 60_000 });
  expect(await readConnectionHeader(early)).not.toBe("close");
  isOver = true;
  await waitUntil(async () => !(await isListening(gateway.port)), "the gateway to stop listening");
  expect(await readConnectionHeader(late)).toBe("close");
  await waitFor(stopped, "the gateway to stop");
});

test("serves a request that the gateway has not yet read when the idle connection is old enough to be closed", async () => {
  const { upstream } = await startHeldUpstream();
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port);
  await waitUntil(() => client.socket.readyState === "open", "the connection");
  const stopped = gateway.stop({ delayMs: 0, graceMs: 60_000 });
  await waitUntil(async () => !(await isListening(gateway.port)), "the gateway to stop listening");
  await sleep(200);
  // At the end of an idle turn of the event loop, timers run before the next read.
  await setImmediate();
  await setImmediate();
  client.send("GET /healthz HTTP/1.1\r\nhost: gateway\r\n\r\n");
  // Blocks the process until the connection is old enough to be closed.
  const busyUntil = performance.now() + 700;
  while (performance.now() < busyUntil);
  expect(await client.waitForResponse("a response")).toMatchObject({ status: 200 });
  await waitFor(stopped, "the gateway to stop");
});

test("aborts a stream that begins after the grace period, whatever its key's disconnect policy", async () => {
  const { upstream } = await startHeldUpstream();
  const gateway = await startKeyedGateway(upstream.baseUrl);
  const { body } = await gateway.callAdmin("POST", "/keys", { name: "drain", on_disconnect: "drain" });
  const authorization = { authorization: `Bearer ${String(body.secret)}` };
  const [early, late] = [new RawClient(gateway.port), new RawClient(gateway.port)];
  late.post(CHAT_PATH, buildChatBody(), authorization);
  await late.waitForResponse("the first response");
  early.post(CHAT_PATH, buildChatBody({ stream: true }), authorization);
  await waitUntil(() => early.received.includes(EVENT), "the early stream to begin");
  const stopped = gateway.stop();
  // A request that arrives before the first abort would not begin. The abort closes the early stream's connection.
  await early.waitForEnd("the early stream");
  late.post(CHAT_PATH, buildChatBody({ stream: true }), authorization);
  await waitUntil(() => late.received.includes(EVENT), "the late stream to begin");
  await waitFor(stopped, "the gateway to stop");
  await waitUntil(() => upstream.open.size === 0, "the upstream requests to be aborted");
  expect(late.received.includes("[DONE]")).toBe(false);
});

test.each([
  ["a header without an end", "x"],
  ["empty lines", "\r\n"],
])("a client that sends %s does not delay the shutdown", async (_, bytes) => {
  const { upstream } = await startHeldUpstream();
  const gateway = await startTestGateway(upstream.baseUrl);
  const slow = new RawClient(gateway.port);
  if (bytes === "x") slow.send("GET /healthz HTTP/1.1\r\nx-slow: ");
  const sending = setInterval(() => slow.socket.writable && slow.send(bytes), 50);
  onTestFinished(() => clearInterval(sending));
  await waitUntil(() => slow.socket.bytesWritten > 0, "the first bytes");
  await waitFor(gateway.stop({ delayMs: 0, graceMs: 60_000 }), "the gateway to stop");
  expect(await slow.waitForEnd("the slow client")).toBeUndefined();
});
