import { expect, test } from "vitest";
import {
  sendChat,
  completeChat,
  readError,
  parseEvents,
  sendRaw,
  sendRawChat,
  startTestSimulator,
  streamChat,
} from "../support/simulator.ts";
import { waitUntil } from "../support/wait.ts";

const LAST_CHUNK = "\r\n0\r\n\r\n";

test.each([400, 401, 402, 403, 404, 408, 412, 413, 422, 429, 500, 502, 503, 504, 524, 529])(
  "sim/error:status=%i responds in OpenRouter's format",
  async (status) => {
    const response = await sendChat(await startTestSimulator(), {
      model: `sim/error:status=${status},retryAfter=7`,
    });
    const { headers } = response;
    expect(headers.get("retry-after")).toBe("7");
    expect(headers.has("x-generation-id")).toBe(false);
    expect(headers.has("x-ratelimit-limit")).toBe(status === 429);
    const { body } = await readError(response);
    expect(response.status).toBe(status);
    expect(body).toMatchObject({ error: { code: status, message: expect.any(String) as string } });
  },
);

test("sim/error:metadataBytes sets the size of an error's metadata", async () => {
  const response = await sendChat(await startTestSimulator(), { model: "sim/error:metadataBytes=100000" });
  expect((await response.text()).length).toBeGreaterThan(100_000);
});

test("the header x-simulate takes precedence over the model", async () => {
  const headers = { authorization: "Bearer k", "x-simulate": "error:status=503" };
  expect((await sendChat(await startTestSimulator(), { model: "sim/ok" }, { headers })).status).toBe(503);
});

test("sim/error-midstream, for a plain request, sends a 200 with an error in its body", async () => {
  const response = await sendChat(await startTestSimulator(), { model: "sim/error-midstream:status=524" });
  const text = await response.text();
  expect(response.status).toBe(200);
  expect(text).toMatch(/^\n {9}\n/);
  expect(JSON.parse(text)).toMatchObject({ error: { code: 524 } });
});

test("sim/error-midstream, for a stream, sends an error chunk and then [DONE]", async () => {
  const text = await streamChat(await startTestSimulator(), { model: "sim/error-midstream:after=3" });
  expect(parseEvents(text).map((event) => event.error?.code)).toEqual([undefined, undefined, undefined, 502]);
  expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
});

test.each([
  ["cut", "end"],
  ["reset", "ECONNRESET"],
])("%s aborts a stream after the given number of events", async (name, ending) => {
  const simulator = await startTestSimulator();
  const response = await sendRawChat(simulator, { model: `sim/${name}:after=3`, stream: true });
  expect(response.ending).toBe(ending);
  expect(parseEvents(response.text)).toHaveLength(3);
  expect(response.text.endsWith(LAST_CHUNK)).toBe(false);
  await waitUntil(() => simulator.readStats().broken === 1, "the disconnect");
  expect(simulator.seen[0]?.aborted).toBe(false);
});

test("half=1 aborts a response within an event", async () => {
  const { text } = await sendRawChat(await startTestSimulator(), {
    model: "sim/cut:after=1,half=1",
    stream: true,
  });
  const events = text.split("data: {");
  expect(events).toHaveLength(3);
  expect(events[2]).not.toContain("\n\n");
});

test("sim/cut never sends a complete JSON document", async () => {
  const { text, ending } = await sendRawChat(await startTestSimulator(), { model: "sim/cut:after=9,half=1" });
  expect(ending).toBe("end");
  expect(text).toContain('{"id":"gen-');
  expect(text).not.toContain('"cost"');
});

test.each([
  ["sim/reset:after=-1", "ECONNRESET"],
  ["sim/reset:head=0", "ECONNRESET"],
  ["sim/close", "end"],
])("%s disconnects before its head", async (model, ending) => {
  expect(await sendRawChat(await startTestSimulator(), { model, stream: true })).toMatchObject({
    text: "",
    ending,
  });
});

test("sim/stall stops sending, and sim/hang never responds, until the client disconnects", async () => {
  const simulator = await startTestSimulator();
  const body = JSON.stringify({ messages: [], model: "sim/hang" });
  const hung = AbortSignal.timeout(50);
  await expect(sendChat(simulator, {}, { body, signal: hung })).rejects.toThrow("aborted");
  const stalled = await sendChat(simulator, { stream: true, model: "sim/stall:after=0,comments=0" });
  const reader = stalled.body?.getReader();
  expect(stalled.status).toBe(200);
  await reader?.cancel();
  await waitUntil(() => simulator.readStats().aborted === 2, "two aborts");
  expect(simulator.seen.map((seen) => seen.bytesSent)).toEqual([0, 0]);
});

test("sim/flood sends the requested number of bytes, and respects back pressure", async () => {
  const simulator = await startTestSimulator();
  for (const streams of [true, false]) {
    const response = await sendChat(simulator, { model: "sim/flood:bytes=3000000", stream: streams });
    expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(3_000_000);
  }
  const huge = await sendChat(simulator, { model: "sim/flood:bytes=2000000000", stream: true });
  await huge.body?.cancel();
  await waitUntil(() => simulator.readStats().aborted === 1, "the abort");
  expect(simulator.seen[2]?.bytesSent).toBeLessThan(1_000_000_000);
});

test.each([200, 502])("sim/html:status=%i responds with a web page", async (status) => {
  const response = await sendChat(await startTestSimulator(), { model: `sim/html:status=${status}` });
  expect(response.status).toBe(status);
  expect(response.headers.get("content-type")).toMatch(/^text\/html/);
  expect(await response.text()).toMatch(/^<!DOCTYPE html>/);
});

test("sim/sse-for-json and sim/json-for-sse respond with the other content type", async () => {
  const simulator = await startTestSimulator();
  const sse = await sendChat(simulator, { model: "sim/sse-for-json" });
  const json = await sendChat(simulator, { model: "sim/json-for-sse", stream: true });
  expect(sse.headers.get("content-type")).toBe("text/event-stream");
  expect(json.headers.get("content-type")).toBe("application/json");
});

test("sim/no-done omits [DONE], sim/crlf sends CRLF, sim/debug adds a debug chunk, and sim/empty-choices sends usage without choices", async () => {
  const simulator = await startTestSimulator();
  expect(await streamChat(simulator, { model: "sim/no-done" })).not.toContain("[DONE]");
  expect((await streamChat(simulator, { model: "sim/crlf" })).replaceAll("\r\n", "")).not.toContain("\n");
  const [first] = parseEvents(await streamChat(simulator, { model: "sim/debug" }));
  expect(first).toMatchObject({ choices: [], debug: { echo_upstream_body: { stream: true } } });
  const last = parseEvents(await streamChat(simulator, { model: "sim/empty-choices" })).at(-1);
  expect(last).toMatchObject({ choices: [], usage: { is_byok: false } });
});

test.each([
  ["sim/close-delimited", "end", true],
  ["sim/close-delimited:reset=1", "ECONNRESET", true],
  ["sim/close-delimited:after=1", "end", false],
])("%s ends its body with %s", async (model, ending, isComplete) => {
  const response = await sendRawChat(await startTestSimulator(), { model, stream: true });
  expect(response.ending).toBe(ending);
  expect(response.text).not.toMatch(/transfer-encoding|content-length/i);
  expect(response.text.endsWith("data: [DONE]\n\n")).toBe(isComplete);
});

test("sim/redirect responds with a redirect, and sim/garbage does not respond with HTTP", async () => {
  const simulator = await startTestSimulator();
  const response = await sendChat(simulator, { model: "sim/redirect" }, { redirect: "manual" });
  expect([response.status, response.headers.get("location")]).toEqual([307, "/api/v1/redirect-target"]);
  expect((await sendRawChat(simulator, { model: "sim/garbage" })).text).toMatch(/^SSH-/);
});

test.each(["x-simulate: early-413:lingerMs=0", "x-other: 1"])(
  "sim/early-413 responds before the body has arrived (%s)",
  async (header) => {
    const start = '{"model":"sim/early-413:lingerMs=0","messages":[';
    const head = `POST /api/v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n${header}\r\n`;
    const simulator = await startTestSimulator();
    const response = await sendRaw(simulator, `${head}Content-Length: 99999999\r\n\r\n${start}`, () => false);
    expect(response.text).toMatch(/^HTTP\/1.1 413 .*\r\n/);
    expect(response.text).toContain('"code":413');
  },
);

test("sim/flaky fails the first requests of an id and then responds", async () => {
  const simulator = await startTestSimulator();
  const model = "sim/flaky:times=2,status=503,id=a";
  const statuses: number[] = [];
  for (let i = 0; i < 3; i++) statuses.push((await sendChat(simulator, { model })).status);
  expect(statuses).toEqual([503, 503, 200]);
  simulator.reset();
  expect((await sendChat(simulator, { model })).status).toBe(503);
  expect((await completeChat(simulator, { model: "sim/ok" })).choices).toHaveLength(1);
});

test("sim/flaky with cutAfter aborts the first responses of an id", async () => {
  const simulator = await startTestSimulator();
  const model = "sim/flaky:cutAfter=2";
  await expect(streamChat(simulator, { model })).rejects.toThrow("terminated");
  expect(await streamChat(simulator, { model })).toContain("[DONE]");
  expect(simulator.readStats()).toMatchObject({ completed: 1, broken: 1 });
});

test("delayMs delays any response", async () => {
  const startedAtMs = performance.now();
  await sendChat(await startTestSimulator(), { model: "sim/error:delayMs=40" });
  expect(performance.now() - startedAtMs).toBeGreaterThan(38);
});
