import { expect, test } from "vitest";
import { sendChat, sendRawChat, startTestSimulator } from "../support/simulator.ts";
import { waitFor } from "../support/wait.ts";

test("an interceptor receives the complete body and responds with any bytes at any time", async () => {
  const simulator = await startTestSimulator();
  const bodies: string[] = [];
  simulator.intercept((exchange, body) => {
    bodies.push(body.toString());
    exchange.writeHead(418, ["Content-Type", "text/plain"]);
    exchange.write("short ");
    setTimeout(() => exchange.end("and stout"), 20);
  });
  const response = await sendChat(simulator, { user: "x".repeat(1e6) });
  expect({ status: response.status, text: await response.text() }).toEqual({
    status: 418,
    text: "short and stout",
  });
  expect(JSON.parse(bodies[0] ?? "")).toMatchObject({ user: "x".repeat(1e6) });
});

test("an interceptor can abort a response, and is notified when the client disconnects", async () => {
  const simulator = await startTestSimulator();
  simulator.intercept((exchange) => {
    exchange.writeHead(200, ["Content-Type", "text/event-stream"]);
    exchange.write("data: half");
    exchange.breakConnection((socket) => socket.resetAndDestroy());
  });
  expect(await sendRawChat(simulator, {})).toMatchObject({ ending: "ECONNRESET" });
  const disconnected = Promise.withResolvers<void>();
  simulator.intercept((exchange) => {
    exchange.res.once("close", () => disconnected.resolve());
    exchange.res.flushHeaders();
  });
  await sendRawChat(simulator, {}, (text) => text.includes("\r\n\r\n"));
  await waitFor(disconnected.promise, "the disconnect");
});

test("an interceptor that throws causes a 500 with its message, until it is removed", async () => {
  const simulator = await startTestSimulator({ apiKeys: ["other"] });
  simulator.intercept(() => {
    throw new Error("broken interceptor");
  });
  const failed = await sendChat(simulator, {});
  expect({ status: failed.status, text: await failed.text() }).toEqual({
    status: 500,
    text: expect.stringContaining("broken interceptor") as string,
  });
  simulator.intercept();
  expect((await sendChat(simulator, {})).status).toBe(401);
});
