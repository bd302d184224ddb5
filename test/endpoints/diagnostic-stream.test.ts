import { expect, test } from "vitest";
import { CALLER_KEY, startTestGateway } from "../support/gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import { sendRequest } from "../support/send-request.ts";
import { startTestSimulator } from "../support/simulator.ts";
import { waitUntil } from "../support/wait.ts";

const NOWHERE = "http://127.0.0.1:9/api/v1";
const PATH = "/openai/v1/diagnostics/stream";

function request(path: string, headers: Record<string, string | undefined> = {}) {
  return { method: "GET", path, body: "", headers: { "content-type": undefined, ...headers } };
}

function open(port: number, path: string, key = CALLER_KEY): RawClient {
  const client = new RawClient(port);
  client.send(`GET ${path} HTTP/1.1\r\nhost: g\r\nauthorization: Bearer ${key}\r\n\r\n`);
  return client;
}

test("sends the events at their times, then a silence, then the last event and [DONE]", async () => {
  const gateway = await startTestGateway(NOWHERE);
  const startedAt = performance.now();
  const response = await sendRequest(gateway.port, request(`${PATH}?events=3&interval_ms=50&idle_ms=200`));
  expect(performance.now() - startedAt).toBeGreaterThan(300);
  expect([response.status, response.body.toString()]).toEqual([
    200,
    'data: {"event":1,"at_ms":0,"forwarded_for":"absent"}\n\ndata: {"event":2,"at_ms":50}\n\n' +
      'data: {"event":3,"at_ms":100}\n\ndata: {"event":4,"at_ms":300}\n\ndata: [DONE]\n\n',
  ]);
  expect(await gateway.waitForRequestLog("the stream")).toMatchObject({
    route: PATH,
    status: 200,
    outcome: "complete",
    stream: true,
    bytes_out: response.body.length,
  });
});

test("has the headers that a relayed stream has", async () => {
  const simulator = await startTestSimulator();
  const gateway = await startTestGateway(simulator.baseUrl);
  const relayed = await sendRequest(gateway.port, {
    body: JSON.stringify({
      model: "openai/gpt-4o-mini",
      stream: true,
      messages: [{ role: "user", content: "x" }],
    }),
  });
  const diagnostic = await sendRequest(gateway.port, request(`${PATH}?events=1`));
  const names = ["content-type", "cache-control", "x-accel-buffering", "transfer-encoding", "content-length"];
  const pick = ({ headers }: typeof relayed) => names.map((name) => headers[name]);
  expect(pick(diagnostic)).toEqual(pick(relayed));
  expect(diagnostic.headers["server-timing"]).toMatch(/^gateway;dur=/);
});

test.each([
  ["events=0", "events"],
  ["events=101", "events"],
  ["events=x", "events"],
  ["interval_ms=-1", "interval_ms"],
  ["idle_ms=600001", "idle_ms"],
  ["events=3&interval_ms=300000&idle_ms=1", "interval_ms"],
  ["bytes=5", "bytes"],
  ["events=1&events=2", "events"],
])("refuses ?%s with 400 and the parameter %s", async (query, param) => {
  const gateway = await startTestGateway(NOWHERE);
  const { status, body } = await sendRequest(gateway.port, request(`${PATH}?${query}`));
  expect([status, JSON.parse(body.toString()).error]).toMatchObject([400, { code: "invalid_value", param }]);
});

test("refuses an unknown key and other methods, and is counted by the rate limit", async () => {
  const gateway = await startTestGateway(NOWHERE, { RATE_LIMIT_MAX: "1" });
  const unknown = request(PATH, { authorization: "Bearer sk-unknown" });
  expect((await sendRequest(gateway.port, unknown)).status).toBe(401);
  expect((await sendRequest(gateway.port, { ...request(PATH), method: "DELETE" })).status).toBe(405);
  expect((await sendRequest(gateway.port, request(`${PATH}?events=1`))).status).toBe(200);
  expect((await sendRequest(gateway.port, request(`${PATH}?events=1`))).status).toBe(429);
});

test.each([
  ["with an OpenRouter key of the client", { OPENROUTER_API_KEY: undefined, GATEWAY_API_KEYS: undefined }],
  ["without keys", { GATEWAY_API_KEYS: undefined, ALLOW_ANONYMOUS: "true" }],
])("works in the mode %s, one stream per address", async (_mode, env) => {
  const gateway = await startTestGateway(NOWHERE, env);
  const first = open(gateway.port, `${PATH}?idle_ms=600000&events=1`, "sk-or-one");
  await waitUntil(() => first.received.toString().includes('"event":1'), "the first event");
  const other = request(PATH, { authorization: "Bearer sk-or-another" });
  const refused = await sendRequest(gateway.port, other);
  expect([refused.status, JSON.parse(refused.body.toString()).error.code]).toEqual([
    429,
    "concurrency_limit_exceeded",
  ]);
  first.socket.destroy();
  await waitUntil(
    async () => (await sendRequest(gateway.port, request(`${PATH}?events=1`))).status === 200,
    "the place of the disconnected client",
  );
});

test("allows one stream of a caller and four of the process, and frees their places on a disconnect", async () => {
  const keys = Array.from({ length: 5 }, (_, index) => `sk-caller-${index}-0123456789`);
  const gateway = await startTestGateway(NOWHERE, {
    GATEWAY_API_KEYS: keys.map((key, index) => `team${index}:${key}`).join(","),
  });
  const clients = keys.slice(0, 4).map((key) => open(gateway.port, `${PATH}?events=1&idle_ms=600000`, key));
  await waitUntil(
    () => clients.every(({ received }) => received.toString().includes('"event":1')),
    "four streams",
  );
  const fifth = request(`${PATH}?events=1`, { authorization: `Bearer ${keys[4]}` });
  const refused = await sendRequest(gateway.port, fifth);
  expect([refused.status, JSON.parse(refused.body.toString()).error.code]).toEqual([503, "overloaded"]);
  clients[0]?.socket.destroy();
  await waitUntil(async () => (await sendRequest(gateway.port, fifth)).status === 200, "a free place");
  const left = await gateway.waitForRequestLog("the client", (record) => record["outcome"] === "client_gone");
  expect(left).toMatchObject({ route: PATH, status: 200 });
});

test("a shutdown ends the stream at once with an error event and an incomplete response", async () => {
  const gateway = await startTestGateway(NOWHERE);
  const client = open(gateway.port, `${PATH}?events=1&idle_ms=600000`);
  await waitUntil(() => client.received.toString().includes('"event":1'), "the first event");
  const startedAt = performance.now();
  await gateway.stop({ delayMs: 0, graceMs: 60_000 });
  expect(performance.now() - startedAt).toBeLessThan(5_000);
  await waitUntil(() => client.isClosed, "the end of the connection");
  expect(client.received.toString()).toContain('"reason":"shutting_down"');
  expect(client.received.toString()).not.toMatch(/\r\n0\r\n\r\n$/);
});

test.each([
  [undefined, undefined, "absent"],
  ["203.0.113.9", undefined, "ignored"],
  ["203.0.113.9", "loopback", "trusted"],
  ["127.0.0.1", "loopback", "trusted"],
])("with X-Forwarded-For %s and TRUST_PROXY %s, forwarded_for is %s", async (forwarded, trust, expected) => {
  const gateway = await startTestGateway(NOWHERE, { TRUST_PROXY: trust });
  const headers = { "x-forwarded-for": forwarded };
  const { body } = await sendRequest(gateway.port, request(`${PATH}?events=1`, headers));
  expect(body.toString()).toContain(`"forwarded_for":"${expected}"`);
});
