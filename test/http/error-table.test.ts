import { expect, test } from "vitest";
import { type TestRequest, sendRequest } from "../support/send-request.ts";
import { buildChatBody } from "../support/chat-request.ts";
import { ACCOUNT_KEY, CALLER_KEY, startTestGateway } from "../support/gateway.ts";
import { startScriptedUpstream } from "../support/scripted-upstream.ts";

interface Expected {
  readonly param?: string;
  readonly headers?: Record<string, string>;
}

type Row = [title: string, error: string, request: TestRequest, expected?: Expected];

const key = (authorization: string | undefined): TestRequest => ({ headers: { authorization } });
const type = (contentType: string | undefined): TestRequest => ({ headers: { "content-type": contentType } });
const body = (fields: Record<string, unknown>): TestRequest => ({ body: buildChatBody(fields) });
const twice = buildChatBody().replace("{", '{"mod\\u0065l":"a/b",');
const deep = `{"a":${"[".repeat(512)}${"]".repeat(512)}}`;

/** Requests that the gateway refuses without sending them upstream. */
const ROWS: Row[] = [
  ["no key", "401 invalid_api_key", key(undefined), { headers: { "www-authenticate": "Bearer" } }],
  ["an unknown key", "401 invalid_api_key", key("Bearer sk-unknown")],
  ["OpenRouter's key as a gateway key", "401 invalid_api_key", key(`Bearer ${ACCOUNT_KEY}`)],
  ["a scheme that is not Bearer", "401 invalid_api_key", key(`Basic ${CALLER_KEY}`)],
  ["an SQL string as key", "401 invalid_api_key", key("Bearer ' OR '1'='1")],
  ["a body that is not JSON", "400 invalid_json", { body: '{"model":' }],
  ["an empty body", "400 invalid_json", { body: "" }],
  ["a body that is not an object", "400 invalid_json", { body: "[]" }],
  ["invalid UTF-8", "400 invalid_utf8", { body: Buffer.from('{"model":"\xff"}', "latin1") }],
  ["a duplicate field", "400 duplicate_field", { body: twice }, { param: "model" }],
  ["nesting over 512 levels", "400 json_too_deep", { body: deep }],
  ["a wrong type", "400 invalid_type", body({ temperature: "hot" }), { param: "temperature" }],
  [
    "a missing parameter",
    "400 missing_required_parameter",
    body({ messages: [{}] }),
    { param: "messages[0].role" },
  ],
  ["a value out of range", "400 invalid_value", body({ top_p: 2 }), { param: "top_p" }],
  ["no model at all", "400 missing_required_parameter", body({ model: null }), { param: "model" }],
  ["another content type", "415 unsupported_media_type", type("text/plain")],
  ["no content type", "415 unsupported_media_type", type(undefined)],
  ["garbage after the content type", "415 unsupported_media_type", type("application/json garbage")],
  ["another charset", "415 unsupported_media_type", type("application/json; charset=utf-16")],
  ["two charsets", "415 unsupported_media_type", type("application/json; charset=utf-8; charset=utf-16")],
  ["a charset twice", "415 unsupported_media_type", type('application/json;CHARSET="UTF-8" ;charset=utf8')],
  ["two charsets in one", "415 unsupported_media_type", type("application/json; charset=utf-8 utf-16")],
  ["an extended charset", "415 unsupported_media_type", type("application/json; charset*=utf-8''utf-16")],
  ["a compressed body", "415 unsupported_content_encoding", { headers: { "content-encoding": "gzip" } }],
  ["a body over the limit", "413 request_too_large", body({ user: "x".repeat(100_000) })],
  ["an unknown URL", "404 unknown_url", { path: "/chat/completions" }],
  ["an endpoint of other gateways", "400 unsupported_endpoint", { path: "/openai/v1/files" }],
  ["an invalid URL", "400 bad_request", { path: "/openai/v1/models/%zz" }],
  [
    "an unsupported method",
    "405 method_not_allowed",
    { method: "GET", body: "" },
    { headers: { allow: "POST" } },
  ],
  [
    "an unsupported method for models",
    "405 method_not_allowed",
    { path: "/openai/v1/models" },
    { headers: { allow: "GET" } },
  ],
];

const getType = (status: number): string =>
  status === 401 ? "authentication_error" : "invalid_request_error";

test.each([
  [type("text/plain; charset=latin1"), "The Content-Type text/plain; charset=latin1 is not supported;"],
  [type(undefined), "The request has no Content-Type;"],
  [type(`text/${"x".repeat(300)}`), `The Content-Type text/${"x".repeat(95)}… is not supported;`],
  [type("text/\u00e9\t"), "The Content-Type text/?? is not supported;"],
  [{ headers: { "content-encoding": "GZIP" } }, "The Content-Encoding gzip is not supported;"],
  [key(undefined), "No API key was given; send a key of this gateway as Authorization: Bearer."],
  [key("Basic abc"), "No API key was given; send"],
  [key("Bearer sk-unknown"), "The API key of the request is unknown, expired, disabled or revoked; send"],
] as [TestRequest, string][])(
  "the error message describes the received request: %j, %s",
  async (request, words) => {
    const gateway = await startTestGateway("http://127.0.0.1:9/api/v1");
    const { error } = JSON.parse((await sendRequest(gateway.port, request)).body.toString());
    expect(error.message).toContain(words);
  },
);

test.each(ROWS)("responds to %s with %s", async (title, error, request, expected = {}) => {
  const upstream = await startScriptedUpstream((socket) => socket.destroy());
  const gateway = await startTestGateway(upstream.baseUrl, { BODY_LIMIT_BYTES: "10000" });
  const response = await sendRequest(gateway.port, request);
  const [status, code] = [Number(error.slice(0, 3)), error.slice(4)];
  expect(response.status).toBe(status);
  expect(JSON.parse(response.body.toString())).toEqual({
    error: { message: expect.any(String), type: getType(status), param: expected.param ?? null, code },
  });
  expect(response.headers).toMatchObject({
    "content-type": "application/json",
    "x-request-id": expect.stringMatching(/^[\w.-]{1,64}$/),
    ...expected.headers,
  });
  expect(response.body.includes(CALLER_KEY) || response.body.includes("sk-unknown")).toBe(false);
  expect(upstream.connections).toBe(0);
  expect(await gateway.waitForRequestLog(title)).toMatchObject({
    outcome: "rejected",
    status,
    error: code,
    level: 30,
  });
});
