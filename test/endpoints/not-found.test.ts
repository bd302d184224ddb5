import { expect, test } from "vitest";
import { sendRequest, type TestRequest } from "../support/send-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { RawClient } from "../support/raw-client.ts";

const NOWHERE = "http://127.0.0.1:9/api/v1";

interface ErrorResponse {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

async function requestError(port: number, request: TestRequest): Promise<ErrorResponse> {
  const { status, body } = await sendRequest(port, request);
  const { error } = JSON.parse(body.toString()) as { error: { code: string; message: string } };
  return { status, code: error.code, message: error.message };
}

test.each([
  ["POST", "/openai/v1/responses", "Responses API", "*/responses"],
  ["POST", "/v1/responses", "Responses API", "*/responses"],
  ["GET", "/responses", "Responses API", "*/responses"],
  ["GET", "/openai/v1/responses/resp_1/input_items?limit=2", "Responses API", "*/responses"],
  ["POST", "/openai/responses/", "Responses API", "*/responses"],
  ["POST", "/openai/v1/messages?beta=true", "Messages API", "*/messages"],
  ["POST", "/openai/v1/v1/messages", "Messages API", "*/messages"],
  ["POST", "/anthropic/v1/messages/count_tokens", "Messages API", "*/messages"],
  ["POST", "//v1//messages", "Messages API", "*/messages"],
  ["POST", "/completions", "legacy Completions API", "*/completions"],
  ["POST", "/api/v1/completions", "legacy Completions API", "*/completions"],
  ["POST", "/openai/v1/embeddings", "Embeddings API", "*/embeddings"],
  ["POST", "/openai/deployments/x/embeddings?api-version=1", "Embeddings API", "*/embeddings"],
])("rejects %s %s because there is no %s, and logs the route %s", async (method, path, name, route) => {
  const gateway = await startTestGateway(NOWHERE);
  const body = method === "GET" ? "" : "{}";
  const headers = { host: `127.0.0.1:${gateway.port}`, authorization: undefined };
  const { status, code, message } = await requestError(gateway.port, { method, path, body, headers });
  expect([status, code]).toEqual([400, "unsupported_endpoint"]);
  expect(message).toContain(`no ${name} (${method} ${path.split("?")[0]})`);
  expect(message).toContain(`the base URL http://127.0.0.1:${gateway.port}/openai/v1.`);
  expect(await gateway.waitForRequestLog(path)).toMatchObject({ status: 400, route, error: code });
});

test.each([
  ["/v1/chat/completions", "*/chat/completions"],
  ["/openai/v1/openai/v1/chat/completions", "*/chat/completions"],
  ["/openai/v1/chat/completions/chat/completions", "*/chat/completions"],
  ["/openai/v1//chat/completions", "*/chat/completions"],
  ["/v1/models", "*/models"],
  ["/api/v1/key", "*/key"],
  ["/openai/v1/audio/speech", ""],
  ["/wp-login.php", ""],
  ["/openai/v1/xresponses", ""],
  ["/openai/v1/constructor/__proto__", ""],
])("names %s and the right base URL in the error message, and logs the route %j", async (path, route) => {
  const gateway = await startTestGateway(NOWHERE);
  const base = `http://localhost:${gateway.port}/openai/v1`;
  const headers = { host: `localhost:${gateway.port}` };
  const { status, code, message } = await requestError(gateway.port, {
    path: `${path}?key=sk-secret`,
    headers,
  });
  expect([status, code]).toEqual([404, "unknown_url"]);
  expect(message).toBe(
    `The gateway has no endpoint POST ${path}. Set the base URL to ${base}: chat completions are at ${base}/chat/completions.`,
  );
  const log = await gateway.waitForRequestLog(path);
  expect(log["route"]).toBe(route);
  expect(JSON.stringify(gateway.logs)).not.toContain("sk-secret");
});

test("the error message shows at most 200 characters of a path, escaped as JSON", async () => {
  const gateway = await startTestGateway(NOWHERE);
  const { message } = await requestError(gateway.port, { path: `/${"x".repeat(5_000)}` });
  expect(message).toContain(`POST /${"x".repeat(199)}….`);
  const client = new RawClient(gateway.port);
  client.send('GET /a"<b>\\ HTTP/1.1\r\nhost: g\r\n\r\n');
  const { headers, body } = await client.waitForResponse("characters that JSON and HTML escape");
  expect(headers["content-type"]).toBe("application/json");
  expect(JSON.parse(body.toString()).error.message).toMatch(/^The gateway has no endpoint GET \/a"<b>\\\. /);
});

test.each([
  ["gw.example.com", {}, {}, "gw.example.com/openai/v1"],
  ["gw.example.com:8443", {}, {}, "gw.example.com:8443/openai/v1"],
  ["localhost:1", {}, {}, "http://localhost:1/openai/v1"],
  ["[::1]:1", {}, {}, "http://[::1]:1/openai/v1"],
  ["gw.example.com", { "x-forwarded-proto": "https" }, {}, "gw.example.com/openai/v1"],
  [
    "gw.example.com",
    { "x-forwarded-proto": "https" },
    { TRUST_PROXY: "loopback" },
    "https://gw.example.com/openai/v1",
  ],
  ["evil.example/<script>", {}, {}, "/openai/v1"],
  ["user:password@evil.example", {}, {}, "/openai/v1"],
  ["x".repeat(300), {}, {}, "/openai/v1"],
])(
  "builds the base URL from the host %j and headers %j with settings %j",
  async (host, forwarded, env, expected) => {
    const gateway = await startTestGateway(NOWHERE, env);
    const { message } = await requestError(gateway.port, { path: "/none", headers: { host, ...forwarded } });
    expect(message).toContain(`Set the base URL to ${expected}:`);
  },
);

test("the base URL has a scheme if the host has the port of the gateway", async () => {
  const gateway = await startTestGateway(NOWHERE);
  const host = `gw.internal:${gateway.port}`;
  const { message } = await requestError(gateway.port, { path: "/none", headers: { host } });
  expect(message).toContain(`Set the base URL to http://${host}/openai/v1:`);
});

test("responds to an HTTP/1.0 request without a Host header", async () => {
  const gateway = await startTestGateway(NOWHERE);
  const client = new RawClient(gateway.port);
  client.send("GET /none HTTP/1.0\r\n\r\n");
  const { status, body } = await client.waitForResponse("no host");
  expect([status, JSON.parse(body.toString()).error.message]).toEqual([
    404,
    expect.stringContaining("Set the base URL to /openai/v1:"),
  ]);
});

test("counts unsupported endpoints as unknown URLs in the limit of an address", async () => {
  const gateway = await startTestGateway(NOWHERE, { RATE_LIMIT_MAX: "2" });
  const statuses = [];
  for (const path of ["/v1/messages", "/none", "/v1/messages", "/none"])
    statuses.push((await requestError(gateway.port, { path })).status);
  expect(statuses).toEqual([400, 404, 429, 429]);
});

test("rejects a request to an unsupported endpoint before its body arrives, here 120 kB as Claude Code sends", async () => {
  const gateway = await startTestGateway(NOWHERE);
  const client = new RawClient(gateway.port);
  client.send("POST /v1/messages?beta=true HTTP/1.1\r\nhost: g\r\ncontent-length: 120000\r\n\r\n");
  expect((await client.waitForResponse("the refusal", 1_000)).status).toBe(400);
});
