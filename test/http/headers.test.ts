import { expect, test } from "vitest";
import { sendRequest } from "../support/send-request.ts";
import { buildChatBody } from "../support/chat-request.ts";
import { ACCOUNT_KEY, startTestGateway } from "../support/gateway.ts";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";

const JSON_TYPE = { "content-type": "application/json" };
const startUpstream = (headers: Record<string, string> = {}) =>
  startScriptedUpstream((socket) => socket.write(formatResponse(200, { ...JSON_TYPE, ...headers }, "{}")));

test("forwards only the client headers that OpenRouter reads, and authenticates with the account's key", async () => {
  const upstream = await startUpstream();
  const gateway = await startTestGateway(upstream.baseUrl);
  const forwarded = {
    accept: "application/json",
    "http-referer": "https://app.example",
    "x-title": "App",
    "x-openrouter-title": "App 2",
    "x-openrouter-categories": "cli",
    "x-openrouter-metadata": "enabled",
    "x-openrouter-cache": "true",
    "x-openrouter-cache-ttl": "60",
    "x-openrouter-cache-clear": "true",
    "x-session-id": "s-1",
    "x-anthropic-beta": "b-1",
  };
  const blocked = {
    cookie: "a=b",
    "proxy-authorization": "Basic eDp5",
    "x-api-key": "sk-1",
    "x-forwarded-for": "1.2.3.4",
    "x-openrouter-fusion-depth": "0",
    "x-openrouter-advisor-depth": "0",
    "x-openrouter-subagent-depth": "0",
    "openai-organization": "org",
    "x-stainless-retry-count": "0",
    "user-agent": "OpenAI/JS",
    "accept-encoding": "gzip",
    te: "trailers",
  };
  await sendRequest(gateway.port, { headers: { ...forwarded, ...blocked } });
  expect(upstream.seen[0]?.headers).toEqual({
    ...forwarded,
    ...JSON_TYPE,
    host: `127.0.0.1:${upstream.port}`,
    connection: "keep-alive",
    authorization: `Bearer ${ACCOUNT_KEY}`,
    "user-agent": "sluice",
    "accept-encoding": "identity",
    "content-length": expect.any(String),
  });
});

test("sends the configured attribution headers only if the client sends none", async () => {
  const upstream = await startUpstream();
  const gateway = await startTestGateway(upstream.baseUrl, {
    APP_URL: "https://ours.example",
    APP_TITLE: "Ours",
  });
  await sendRequest(gateway.port);
  await sendRequest(gateway.port, {
    headers: { "http-referer": "https://theirs.example", "x-title": "Theirs" },
  });
  await sendRequest(gateway.port, { headers: { "x-openrouter-title": "Theirs" } });
  expect(
    upstream.seen.map(({ headers }) => [
      headers["http-referer"],
      headers["x-title"],
      headers["x-openrouter-title"],
    ]),
  ).toEqual([
    ["https://ours.example", "Ours", undefined],
    ["https://theirs.example", "Theirs", undefined],
    ["https://ours.example", undefined, "Theirs"],
  ]);
});

test("relays response headers, except those about upstream's connection, website or CDN", async () => {
  const forwarded = {
    "x-generation-id": "gen-1",
    "x-provider-name": "Some",
    "x-openrouter-cache-status": "HIT",
    "x-content-type-options": "nosniff",
  };
  const blocked = {
    "set-cookie": "__cf_bm=1",
    server: "cloudflare",
    "cf-ray": "1",
    "alt-svc": "h3",
    "access-control-allow-origin": "*",
    "proxy-authenticate": "Basic",
    connection: "keep-alive, x-hop",
    "x-hop": "1",
    "x-request-id": "theirs",
    "strict-transport-security": "max-age=1",
  };
  const upstream = await startUpstream({ ...forwarded, ...blocked });
  const gateway = await startTestGateway(upstream.baseUrl);
  const { headers } = await sendRequest(gateway.port);
  expect(headers).toEqual({
    ...forwarded,
    ...JSON_TYPE,
    date: expect.any(String),
    connection: "keep-alive",
    "keep-alive": "timeout=75",
    "transfer-encoding": "chunked",
    "x-accel-buffering": "no",
    "x-request-id": expect.stringMatching(/^[0-9a-f-]{36}$/),
    "server-timing": expect.stringMatching(/^gateway;dur=\d+\.\d{3}$/),
  });
});

test("sends headers that disable buffering and caching of an event stream", async () => {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(formatResponse(200, { "content-type": "text/event-stream" }, "data: [DONE]\n\n")),
  );
  const gateway = await startTestGateway(upstream.baseUrl);
  const { headers } = await sendRequest(gateway.port);
  expect(headers).toMatchObject({ "x-accel-buffering": "no", "cache-control": "no-cache" });
  expect(headers["content-length"]).toBeUndefined();
});

test("keeps a client's request id if it is a safe token, and replaces it otherwise", async () => {
  const upstream = await startUpstream();
  const gateway = await startTestGateway(upstream.baseUrl);
  const idFor = async (id: string) =>
    (await sendRequest(gateway.port, { headers: { "x-request-id": id } })).headers["x-request-id"];
  expect(await idFor("trace-1.a_B")).toBe("trace-1.a_B");
  for (const unsafe of ["a b", "x".repeat(65), "é", '"}', "a,b"])
    expect(await idFor(unsafe)).toMatch(/^[0-9a-f-]{36}$/);
  await gateway.waitForRequestLog("the safe id", (record) => record["request_id"] === "trace-1.a_B");
});

test("server-timing excludes the time that upstream takes to respond", async () => {
  const upstream = await startScriptedUpstream((socket) => {
    setTimeout(() => socket.write(formatResponse(200, JSON_TYPE, "{}")), 400);
  });
  const gateway = await startTestGateway(upstream.baseUrl);
  const { headers } = await sendRequest(gateway.port);
  expect(Number(headers["server-timing"]?.split("=")[1])).toBeLessThan(200);
});

test("server-timing includes the work before the request is sent upstream", async () => {
  const upstream = await startUpstream();
  const gateway = await startTestGateway(upstream.baseUrl);
  const { headers } = await sendRequest(gateway.port, {
    body: buildChatBody({ user: "x".repeat(20_000_000) }),
  });
  // Checking 20 MB takes longer than 3 ms.
  expect(Number(headers["server-timing"]?.split("=")[1])).toBeGreaterThan(3);
});

test.each([
  ["content types", "content-type: application/json\r\ncontent-type: application/json\r\n"],
  [
    "connection headers",
    "content-type: application/json\r\nconnection: keep-alive\r\nconnection: x-hop\r\nx-hop: 1\r\n",
  ],
])("relays an upstream response with two %s", async (_, lines) => {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(`HTTP/1.1 200 OK\r\n${lines}content-length: 2\r\n\r\n{}`),
  );
  const gateway = await startTestGateway(upstream.baseUrl);
  const response = await sendRequest(gateway.port);
  expect([response.status, response.body.toString(), response.headers["x-hop"]]).toEqual([
    200,
    "{}",
    undefined,
  ]);
});
