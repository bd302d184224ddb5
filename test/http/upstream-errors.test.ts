import { expect, test } from "vitest";
import { sendRequest } from "../support/send-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { waitUntil } from "../support/wait.ts";
import { formatResponse, type Script, startScriptedUpstream } from "../support/scripted-upstream.ts";

const JSON_TYPE = { "content-type": "application/json" };
const TWO_LENGTHS = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab";

/** A response with `count` header lines, including Content-Type and Content-Length. */
function withHeaderLines(count: number, nameOf: (index: number) => string): string {
  const lines = Array.from({ length: count - 2 }, (_, index) => `${nameOf(index)}:\r\n`).join("");
  return `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n${lines}\r\n{}`;
}

type Row = [title: string, error: string, script: Script];

/** Scripts of an upstream that receives the request and sends no response that can be relayed. */
const ROWS: Row[] = [
  ["closes the connection before the first byte", "502 upstream_disconnected", (socket) => socket.end()],
  [
    "resets the connection before the first byte",
    "502 upstream_disconnected",
    (socket) => socket.resetAndDestroy(),
  ],
  [
    "closes the connection within the response head",
    "502 upstream_disconnected",
    (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-ty"),
  ],
  ["never responds", "504 upstream_timeout", () => {}],
  ["does not speak HTTP", "502 upstream_bad_response", (socket) => socket.write("SSH-2.0-OpenSSH_9.2\r\n")],
  [
    "sends two different Content-Length headers",
    "502 upstream_bad_response",
    (socket) => socket.write(TWO_LENGTHS),
  ],
  [
    "sends more than 32 KiB of headers",
    "502 upstream_bad_response",
    (socket) => socket.write(`HTTP/1.1 200 OK\r\nx-a: ${"x".repeat(33_000)}\r\n`),
  ],
  [
    "sends 257 header lines",
    "502 upstream_bad_response",
    (socket) => socket.write(withHeaderLines(257, (index) => `x-${index}`)),
  ],
  [
    "sends 5,000 values of one header",
    "502 upstream_bad_response",
    (socket) => socket.write(withHeaderLines(5_000, () => "a")),
  ],
  [
    "responds with a redirect",
    "502 upstream_bad_response",
    (socket) => socket.write(formatResponse(302, { location: "http://127.0.0.1:1/" })),
  ],
  [
    "responds with status 200 and an HTML page",
    "502 upstream_bad_response",
    (socket) => socket.write(formatResponse(200, { "content-type": "text/html" }, "<html>")),
  ],
  [
    "responds with status 200 and no Content-Type",
    "502 upstream_bad_response",
    (socket) => socket.write(formatResponse(200, {}, "{}")),
  ],
  [
    "responds with an invalid status",
    "502 upstream_bad_response",
    (socket) => socket.write(formatResponse(999, JSON_TYPE, "{}")),
  ],
  [
    "rejects the OpenRouter API key of the gateway",
    "502 upstream_auth_failed",
    (socket) => socket.write(formatResponse(401, JSON_TYPE, "{}")),
  ],
];

test.each(ROWS)(
  "when upstream %s, the gateway responds with %s after one attempt and forbids a retry",
  async (title, error, script) => {
    const upstream = await startScriptedUpstream(script);
    const gateway = await startTestGateway(upstream.baseUrl, { UPSTREAM_HEADERS_TIMEOUT_MS: "800" });
    const response = await sendRequest(gateway.port);
    const [status, code] = [Number(error.slice(0, 3)), error.slice(4)];
    expect(response.status).toBe(status);
    expect(JSON.parse(response.body.toString())).toEqual({
      error: { message: expect.any(String), type: "upstream_error", param: null, code },
    });
    expect(response.headers).toMatchObject({
      ...JSON_TYPE,
      "x-should-retry": "false",
      "x-request-id": expect.any(String),
    });
    expect(upstream.seen.length).toBe(1);
    expect(await gateway.waitForRequestLog(title)).toMatchObject({
      outcome: "upstream_error",
      status,
      error: code,
      level: 40,
    });
  },
);

test("relays a response with 256 header lines", async () => {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(withHeaderLines(256, (index) => `x-${index}`)),
  );
  const gateway = await startTestGateway(upstream.baseUrl);
  expect(await sendRequest(gateway.port)).toMatchObject({ status: 200, headers: { "x-0": "", "x-253": "" } });
});

test("disconnects an upstream that sends too many header lines", async () => {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(withHeaderLines(300, () => "a").replace("length: 2", "length: 3")),
  );
  const gateway = await startTestGateway(upstream.baseUrl);
  expect((await sendRequest(gateway.port)).status).toBe(502);
  await waitUntil(() => upstream.open.size === 0, "the connection to upstream to close");
});

test("relays the status and Retry-After of an HTML error page from OpenRouter's edge, and replaces the page with a JSON error", async () => {
  const page = formatResponse(
    524,
    { "content-type": "text/html; charset=UTF-8", "retry-after": "7" },
    "<html>timeout</html>",
  );
  const upstream = await startScriptedUpstream((socket) => socket.write(page));
  const gateway = await startTestGateway(upstream.baseUrl);
  const response = await sendRequest(gateway.port);
  expect([response.status, response.headers["retry-after"], response.headers["content-type"]]).toEqual([
    524,
    "7",
    "application/json",
  ]);
  expect(JSON.parse(response.body.toString())).toMatchObject({
    error: { type: "upstream_error", code: "upstream_error" },
  });
});

test.each([400, 402, 403, 404, 408, 413, 422, 429, 500, 502, 503, 529])(
  "relays upstream's error %i with its body, Content-Type and Retry-After",
  async (status) => {
    const body = `{"error":{"code":${status},"message":"its own words","metadata":{"raw":1.0}},"user_id":"user_1"}`;
    const upstreamResponse = formatResponse(status, { ...JSON_TYPE, "retry-after": "3" }, body);
    const upstream = await startScriptedUpstream((socket) => socket.write(upstreamResponse));
    const gateway = await startTestGateway(upstream.baseUrl);
    const response = await sendRequest(gateway.port);
    expect([response.status, response.body.toString()]).toEqual([status, body]);
    expect(response.headers).toMatchObject({
      ...JSON_TYPE,
      "retry-after": "3",
      "x-request-id": expect.any(String),
    });
    expect(upstream.seen.length).toBe(1);
    expect(await gateway.waitForRequestLog("upstream's error")).toMatchObject({
      outcome: "upstream_error",
      status,
    });
  },
);

test.each([
  [524, "text/plain; charset=UTF-8", "false"],
  [504, "application/xhtml+xml", "false"],
  [502, "", "false"],
  [521, "text/plain", undefined],
  [429, "text/plain", undefined],
  [503, "application/json", undefined],
])(
  "relays an error %i with Content-Type %j; the header x-should-retry is %s",
  async (status, type, expected) => {
    const body = `error code: ${status}`;
    const upstream = await startScriptedUpstream((socket) =>
      socket.write(formatResponse(status, { "content-type": type }, body)),
    );
    const gateway = await startTestGateway(upstream.baseUrl);
    const response = await sendRequest(gateway.port);
    expect([response.status, response.body.toString()]).toEqual([status, body]);
    expect(response.headers["x-should-retry"]).toBe(expected);
  },
);

test("relays upstream's 401 unchanged to clients with their own keys", async () => {
  const body = '{"error":{"message":"User not found.","code":401}}';
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(formatResponse(401, JSON_TYPE, body)),
  );
  const gateway = await startTestGateway(upstream.baseUrl, {
    OPENROUTER_API_KEY: undefined,
    GATEWAY_API_KEYS: undefined,
  });
  const response = await sendRequest(gateway.port, { headers: { authorization: "Bearer sk-or-v1-own" } });
  expect([response.status, response.body.toString()]).toEqual([401, body]);
  expect(upstream.seen[0]?.headers["authorization"]).toBe("Bearer sk-or-v1-own");
});
