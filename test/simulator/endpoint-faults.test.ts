import { expect, test } from "vitest";
import {
  type EndpointExample,
  ENDPOINTS,
  STREAMING,
  readBilling,
  readEvents,
  readJson,
  sendTo,
} from "../support/model-endpoints.ts";
import { getJson, sendRaw, startTestSimulator } from "../support/simulator.ts";
import type { Simulator } from "../../tools/simulator/simulator.ts";
import { waitUntil } from "../support/wait.ts";

function sendRawTo(
  simulator: Simulator,
  { path, input }: EndpointExample,
  fields: object,
  enough: (text: string) => boolean = () => false,
) {
  const body = JSON.stringify({ ...input, ...fields });
  const head = `POST /api/v1${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
  return sendRaw(simulator, head + body, enough);
}

test.each(ENDPOINTS)("$path: sim/error responds in the error format of the endpoint", async (endpoint) => {
  const simulator = await startTestSimulator();
  const response = await sendTo(simulator, endpoint, { model: "sim/error:status=429,retryAfter=3" });
  expect([response.status, response.headers.get("retry-after")]).toEqual([429, "3"]);
  const message = "Rate limit exceeded";
  expect(await readJson(response)).toMatchObject(
    endpoint.path === "/messages"
      ? { type: "error", error: { type: "rate_limit_error", message }, request_id: null }
      : { error: { code: 429, message } },
  );
});

test.each([
  [400, "invalid_request_error"],
  [401, "authentication_error"],
  [402, "billing_error"],
  [403, "permission_error"],
  [404, "not_found_error"],
  [413, "request_too_large"],
  [422, "invalid_request_error"],
  [500, "api_error"],
  [502, "api_error"],
  [503, "overloaded_error"],
  [504, "timeout_error"],
  [529, "overloaded_error"],
])("/messages: an error with status %i has the type %s", async (status, type) => {
  const simulator = await startTestSimulator();
  const request = { path: "/messages", model: `sim/error:status=${status}`, input: { messages: [] } };
  expect(await readJson(await sendTo(simulator, request))).toMatchObject({ error: { type } });
});

test("a missing key and an unknown path below /messages have Anthropic's errors", async () => {
  const { baseUrl } = await startTestSimulator();
  const missing = await fetch(`${baseUrl}/messages`, { method: "POST", body: "{}" });
  expect([missing.status, await readJson(missing)]).toMatchObject([
    401,
    { error: { type: "authentication_error" } },
  ]);
  const headers = { authorization: "Bearer k" };
  const unknown = await fetch(`${baseUrl}/messages/count_tokens`, { method: "POST", headers });
  expect([unknown.status, await readJson(unknown)]).toMatchObject([
    404,
    { error: { type: "not_found_error" } },
  ]);
});

test.each(ENDPOINTS)("$path: a plain response that fails late is free and has an error", async (endpoint) => {
  const simulator = await startTestSimulator();
  const response = await sendTo(simulator, endpoint, { model: "sim/error-midstream:status=529" });
  expect(response.status).toBe(200);
  expect(await readJson(response)).toMatchObject({ error: { message: "Provider returned error" } });
  expect(simulator.readStats().billedNanodollars).toBe(0);
});

test.each([
  ["/chat/completions", { error: { code: 529 } }, true],
  ["/completions", { object: "text_completion", error: { code: 529 } }, true],
  [
    "/responses",
    {
      type: "response.failed",
      sequence_number: 4,
      response: { status: "failed", error: { code: "server_error", message: "Provider returned error" } },
    },
    true,
  ],
  ["/messages", { type: "error", error: { type: "overloaded_error" } }, false],
])("%s: a stream that fails ends with its protocol's error", async (path, error, isDone) => {
  const simulator = await startTestSimulator();
  const endpoint = ENDPOINTS.find((one) => one.path === path);
  if (endpoint === undefined) throw new Error(`no endpoint ${path}`);
  const model = "sim/error-midstream:status=529,after=4";
  const text = await (await sendTo(simulator, endpoint, { model, stream: true })).text();
  const events = readEvents(text);
  expect(events).toHaveLength(5);
  expect(events[4]).toMatchObject(error);
  expect(text.endsWith("data: [DONE]\n\n")).toBe(isDone);
  expect(text.includes("\nevent: error\n")).toBe(path === "/messages");
  const { id, usage } = readBilling(events);
  const nanodollars = simulator.findBilledNanodollars(id);
  expect(nanodollars).toBeGreaterThan(0);
  // An error of Anthropic's protocol states no usage.
  const stated = path === "/messages" ? undefined : Number(nanodollars) / 1e9;
  expect(usage["cost"]).toBe(stated);
});

const ENDS: Readonly<Record<string, RegExp>> = {
  "/responses": /response\.completed|\[DONE\]/,
  "/messages": /message_stop/,
};

test.each(STREAMING)("$path: sim/no-done ends cleanly without the last event", async (endpoint) => {
  const simulator = await startTestSimulator();
  const response = await sendTo(simulator, endpoint, { model: "sim/no-done", stream: true });
  const text = await response.text();
  expect(text).not.toMatch(ENDS[endpoint.path] ?? /\[DONE\]/);
  expect(text.endsWith("}\n\n")).toBe(true);
  expect(simulator.readStats().completed).toBe(1);
});

test.each(STREAMING)("$path: sim/cut never sends the end of a stream", async (endpoint) => {
  const simulator = await startTestSimulator();
  const few = await sendRawTo(simulator, endpoint, { model: "sim/cut:after=3", stream: true });
  expect(few.ending).toBe("end");
  expect(readEvents(few.text)).toHaveLength(3);
  const all = await sendRawTo(simulator, endpoint, { model: "sim/cut:after=99", stream: true });
  expect(all.text).not.toMatch(ENDS[endpoint.path] ?? /\[DONE\]/);
  await waitUntil(() => simulator.readStats().broken === 2, "the disconnects");
});

test.each(ENDPOINTS)(
  "$path: sim/reset, sim/cut, sim/html and sim/early-413 have their usual effects",
  async (endpoint) => {
    const simulator = await startTestSimulator();
    const reset = await sendRawTo(simulator, endpoint, { model: "sim/reset:head=0" });
    expect(reset).toMatchObject({ text: "", ending: "ECONNRESET" });
    const cut = await sendRawTo(simulator, endpoint, { model: "sim/cut:after=9,half=1" });
    expect([cut.ending, cut.text.includes("200 OK")]).toEqual(["end", true]);
    expect((await sendTo(simulator, endpoint, { model: "sim/html" })).status).toBe(502);
    expect((await sendTo(simulator, endpoint, { model: "sim/early-413" })).status).toBe(413);
  },
);

test.each(ENDPOINTS)(
  "$path: sim/sse-for-json and sim/json-for-sse send the content type that was not requested",
  async (endpoint) => {
    const simulator = await startTestSimulator();
    const events = await sendTo(simulator, endpoint, { model: "sim/sse-for-json" });
    expect(events.headers.get("content-type")).toBe("text/event-stream");
    expect(readEvents(await events.text()).length).toBeGreaterThan(0);
    const json = await sendTo(simulator, endpoint, { model: "sim/json-for-sse", stream: true });
    expect(json.headers.get("content-type")).toBe("application/json");
    expect(readBilling([await readJson(json)]).id).toMatch(/^gen-/);
  },
);

test.each(STREAMING)(
  "$path: sim/crlf, sim/ok:split and sim/close-delimited send the same number of events as sim/ok",
  async (endpoint) => {
    const simulator = await startTestSimulator();
    const count = async (model: string): Promise<number> => {
      const text = await (await sendTo(simulator, endpoint, { model, stream: true })).text();
      expect(text.includes("\r\n\r\n")).toBe(model === "sim/crlf");
      return readEvents(text).length;
    };
    const usual = await count("sim/ok");
    const others = await Promise.all(["sim/crlf", "sim/ok:split=7", "sim/close-delimited"].map(count));
    expect(others).toEqual([usual, usual, usual]);
  },
);

test.each(STREAMING)("$path bills a cancelled stream for the part that was sent", async (endpoint) => {
  const simulator = await startTestSimulator();
  const whole = readBilling([
    await readJson(await sendTo(simulator, endpoint, { model: "sim/ok:padBytes=400" })),
  ]);
  const model = "sim/stall:after=5,padBytes=400";
  await sendRawTo(simulator, endpoint, { model, stream: true }, (text) => readEvents(text).length === 5);
  await waitUntil(() => simulator.seen[1]?.aborted, "the abort");
  const id = simulator.seen[1]?.generationId ?? "";
  const billed = simulator.findBilledNanodollars(id) ?? 0;
  expect(billed).toBeGreaterThan(0);
  expect(billed).toBeLessThan(Math.round(Number(whole.usage["cost"]) * 1e9));
  const { json } = await getJson(simulator, `/generation?id=${id}`);
  expect(json).toMatchObject({ data: { cancelled: true, total_cost: billed / 1e9 } });
});

test.each(ENDPOINTS)("$path bills a cancelled plain request as a whole", async (endpoint) => {
  const simulator = await startTestSimulator();
  const whole = readBilling([await readJson(await sendTo(simulator, endpoint, { model: "sim/ok" }))]);
  await sendRawTo(simulator, endpoint, { model: "sim/ok:gapMs=1000" }, (text) => text.includes("200 OK"));
  await waitUntil(() => simulator.readStats().aborted === 1, "the abort");
  const id = simulator.seen[1]?.generationId ?? "";
  expect(simulator.findBilledNanodollars(id)).toBe(Math.round(Number(whole.usage["cost"]) * 1e9));
});

test.each(STREAMING)("$path: sim/flood respects back pressure", async (endpoint) => {
  const simulator = await startTestSimulator();
  const small = await sendTo(simulator, endpoint, { model: "sim/flood:bytes=3000000", stream: true });
  expect((await small.arrayBuffer()).byteLength).toBeGreaterThan(3_000_000);
  const huge = await sendTo(simulator, endpoint, { model: "sim/flood:bytes=1000000000", stream: true });
  await huge.body?.cancel();
  await waitUntil(() => simulator.readStats().aborted === 1, "the abort");
  expect(simulator.seen[1]?.bytesSent).toBeLessThan(500_000_000);
});
