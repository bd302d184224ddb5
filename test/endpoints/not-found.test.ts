import { expect, test } from "vitest";
import { formatPath, KNOWN_ENDPOINTS } from "../../src/endpoints/known-endpoints.ts";
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
  ["GET", "/openai/v1/responses/resp_1/input_items?limit=2", "stored responses", "*/responses/:id"],
  ["DELETE", "/v1/responses/resp_1", "stored responses", "*/responses/:id"],
  ["POST", "/openai/v1/chat/completions/c_1", "stored chat completions", "*/chat/completions/:id"],
  ["POST", "/v1/messages/batches", "Message Batches API", "*/messages/batches"],
  ["GET", "/anthropic/v1/messages/batches/b_1", "Message Batches API", "*/messages/batches"],
  ["POST", "/openai/v1/files", "Files API", "*/files"],
  ["GET", "/openai/v1/files/f_1/content", "Files API", "*/files"],
  ["POST", "/v1/batches", "Batch API", "*/batches"],
  ["POST", "/openai/v1/assistants", "Assistants API", "*/assistants"],
  ["POST", "/v1/threads/t_1/messages", "Assistants API", "*/threads"],
  ["POST", "/v1/vector_stores", "Vector Stores API", "*/vector_stores"],
  ["POST", "/v1/realtime/sessions", "Realtime API", "*/realtime"],
  ["POST", "/v1/moderations", "Moderations API", "*/moderations"],
  ["POST", "/openai/v1/audio/speech", "Audio API", "*/audio"],
  ["POST", "/openai/v1/v1/images/generations", "Images API", "*/images"],
  ["GET", "/api/v1/images/models", "Images API", "*/images"],
  ["POST", "/api/v1/videos", "Videos API", "*/videos"],
  ["POST", "/v1/fine_tuning/jobs", "Fine-tuning API", "*/fine_tuning"],
  ["POST", "//v1//uploads", "Uploads API", "*/uploads"],
  ["GET", "/api/v1/generation/content?id=x", "contents of generations", "*/generation/:id"],
  ["POST", "/api/v1/credits/coinbase", "access to the OpenRouter account", "*/credits/:id"],
  ["GET", "/api/v1/keys", "access to the OpenRouter account", "*/keys"],
  ["DELETE", "/api/v1/keys/abc", "access to the OpenRouter account", "*/keys"],
  ["GET", "/openai/v1/activity", "access to the OpenRouter account", "*/activity"],
  ["POST", "/api/v1/presets/x/chat/completions", "access to the OpenRouter account", "*/presets"],
])(
  "rejects %s %s with 400 because there is no %s, and logs the route %s",
  async (method, path, name, route) => {
    const gateway = await startTestGateway(NOWHERE);
    const body = method === "POST" ? "{}" : "";
    const headers = { host: `127.0.0.1:${gateway.port}`, authorization: undefined };
    const { status, code, message } = await requestError(gateway.port, { method, path, body, headers });
    expect([status, code]).toEqual([400, "unsupported_endpoint"]);
    expect(message).toContain(`no ${name} (${method} ${path.split("?")[0]})`);
    expect(message).toContain(
      `Below http://127.0.0.1:${gateway.port}/openai/v1 it has POST chat/completions, `,
    );
    expect(await gateway.waitForRequestLog(path)).toMatchObject({ status: 400, route, error: code });
  },
);

test("every endpoint that the messages name exists, and each message names all of them", async () => {
  const gateway = await startTestGateway(NOWHERE);
  const { message } = await requestError(gateway.port, { path: "/v1/files" });
  for (const { method, path, basePath } of KNOWN_ENDPOINTS) {
    expect(message).toContain(formatPath(path));
    const url = `${basePath}/${path.replaceAll(/:\w+|\*/g, "x")}`;
    const headers = { authorization: undefined };
    const body = method === "POST" ? "{}" : "";
    expect([url, (await sendRequest(gateway.port, { method, path: url, headers, body })).status]).toEqual([
      url,
      401,
    ]);
  }
});

test.each([
  ["/chat/completions", "/openai/v1", "/openai/v1/chat/completions"],
  ["/openai/chat/completions", "/openai/v1", "/openai/v1/chat/completions"],
  ["/openai/v1/openai/v1/chat/completions", "/openai/v1", "/openai/v1/chat/completions"],
  ["/openai/v1/chat/completions/chat/completions", "/openai/v1", "/openai/v1/chat/completions"],
  ["/openai/v1//chat/completions", "/openai/v1", "/openai/v1/chat/completions"],
  ["/anthropic/v1/chat/completions", "/openai/v1", "/openai/v1/chat/completions"],
  ["/responses", "/openai/v1", "/openai/v1/responses"],
  ["/openai/v1/responses/responses", "/openai/v1", "/openai/v1/responses"],
  ["/openai/deployments/x/embeddings?api-version=1", "/openai/v1", "/openai/v1/embeddings"],
  ["/v2/rerank", "/openai/v1", "/openai/v1/rerank"],
  ["/completions", "/openai/v1", "/openai/v1/completions"],
  ["/v1/v1/models", "/openai/v1", "/openai/v1/models"],
  ["/v1/v1/embeddings/models", "/openai/v1", "/openai/v1/embeddings/models"],
  ["/key", "/openai/v1", "/openai/v1/key"],
  ["/v1/v1/messages", "/anthropic", "/anthropic/v1/messages"],
  ["/openai/v1/v1/messages?beta=true", "/anthropic", "/anthropic/v1/messages"],
  ["/messages", "/anthropic", "/anthropic/v1/messages"],
  ["/anthropic/v1/v1/messages", "/anthropic", "/anthropic/v1/messages"],
])("names %s, the base URL %s and the URL %s in the error message", async (path, base, url) => {
  const gateway = await startTestGateway(NOWHERE);
  const origin = `http://localhost:${gateway.port}`;
  const headers = { host: `localhost:${gateway.port}` };
  const [shown, query = ""] = path.split("?");
  const request = { path: `${shown}?key=sk-secret&${query}`, headers };
  const { status, code, message } = await requestError(gateway.port, request);
  // Claude Code shows the message of a 400 at once, and repeats the request after a 404.
  expect([status, code]).toEqual([base === "/anthropic" ? 400 : 404, "unknown_url"]);
  expect(message).toBe(
    `The gateway has no endpoint POST ${shown}. Set the base URL to ${origin}${base}: this endpoint is at ${origin}${url}.`,
  );
  expect((await gateway.waitForRequestLog(path))["route"]).toBe(`*/${url.split("/v1/")[1]}`);
  expect(JSON.stringify(gateway.logs)).not.toContain("sk-secret");
});

test.each([
  "/wp-login.php",
  "/openai/v1/xresponses",
  "/openai/v1/constructor/__proto__",
  "/openai/v1/filesystem",
  "/my/keys",
  "/admin/v1/keys/a/b/c",
])("lists all endpoints in the error message for %s, and logs no route", async (path) => {
  const gateway = await startTestGateway(NOWHERE);
  const base = `http://localhost:${gateway.port}/openai/v1`;
  const headers = { host: `localhost:${gateway.port}` };
  const { status, code, message } = await requestError(gateway.port, { path, headers });
  expect([status, code]).toEqual([404, "unknown_url"]);
  expect(message).toMatch(
    `The gateway has no endpoint POST ${path}. Set the base URL to ${base}, below which it has POST `,
  );
  expect((await gateway.waitForRequestLog(path))["route"]).toBe("");
});

test.each([
  ["POST", "/anthropic/v1/messages/count_tokens?beta=true", 404, "not_found_error"],
  ["POST", "/v1/messages/count_tokens", 404, "not_found_error"],
  ["POST", "/v1/messages/batches", 400, "invalid_request_error"],
  ["POST", "/anthropic/v1/files", 400, "invalid_request_error"],
  ["POST", "/v1/v1/messages", 400, "invalid_request_error"],
  ["GET", "/anthropic/v1/none", 404, "not_found_error"],
])("rejects %s %s with %i in Anthropic's format, with the type %s", async (method, path, status, type) => {
  const gateway = await startTestGateway(NOWHERE);
  const body = method === "POST" ? "{}" : "";
  const response = await sendRequest(gateway.port, { method, path, body });
  expect(response.status).toBe(status);
  expect(response.headers["x-should-retry"]).toBe("false");
  const json = JSON.parse(response.body.toString());
  expect(json).toMatchObject({
    type: "error",
    error: { type },
    request_id: response.headers["x-request-id"],
  });
  expect(json.error.message).toContain(`${method} ${path.split("?")[0]}`);
});

test.each(["/responses", "/openai/v1/none/responses", "/openai/v1/responses/resp_1"])(
  "rejects Codex's request to %s with 400, whose message Codex shows at once",
  async (path) => {
    const gateway = await startTestGateway(NOWHERE);
    const response = await requestError(gateway.port, { path, headers: { originator: "codex_exec" } });
    expect(response.status).toBe(400);
    expect(response.message).toContain("/openai/v1");
  },
);

test("finds an unsupported endpoint only directly below a base path", async () => {
  const gateway = await startTestGateway(NOWHERE);
  const request = { method: "GET", path: "/openai/deployments/x/audio/speech", body: "" };
  expect(await requestError(gateway.port, request)).toMatchObject({ status: 404, code: "unknown_url" });
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
    expect(message).toContain(`Set the base URL to ${expected},`);
  },
);

test("the base URL has a scheme if the host has the port of the gateway", async () => {
  const gateway = await startTestGateway(NOWHERE);
  const host = `gw.internal:${gateway.port}`;
  const { message } = await requestError(gateway.port, { path: "/none", headers: { host } });
  expect(message).toContain(`Set the base URL to http://${host}/openai/v1,`);
});

test("responds to an HTTP/1.0 request without a Host header", async () => {
  const gateway = await startTestGateway(NOWHERE);
  const client = new RawClient(gateway.port);
  client.send("GET /none HTTP/1.0\r\n\r\n");
  const { status, body } = await client.waitForResponse("no host");
  expect([status, JSON.parse(body.toString()).error.message]).toEqual([
    404,
    expect.stringContaining("Set the base URL to /openai/v1,"),
  ]);
});

test("counts unsupported endpoints as unknown URLs in the limit of an address", async () => {
  const gateway = await startTestGateway(NOWHERE, { RATE_LIMIT_MAX: "2" });
  const statuses = [];
  for (const path of ["/v1/files", "/none", "/v1/files", "/none"])
    statuses.push((await requestError(gateway.port, { path })).status);
  expect(statuses).toEqual([400, 404, 429, 429]);
});

test("rejects a request to an unknown URL before its body arrives, here 120 kB as Claude Code sends", async () => {
  const gateway = await startTestGateway(NOWHERE);
  const client = new RawClient(gateway.port);
  client.send("POST /v1/v1/messages?beta=true HTTP/1.1\r\nhost: g\r\ncontent-length: 120000\r\n\r\n");
  expect((await client.waitForResponse("the refusal")).status).toBe(400);
});
