import { expect, test } from "vitest";
import { CALLER_KEY, startTestGateway } from "../support/gateway.ts";
import { startHeldUpstream } from "../support/held-upstream.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { RawClient, type RawResponse } from "../support/raw-client.ts";
import { startScriptedUpstream } from "../support/scripted-upstream.ts";
import { sendRequest, type TestRequest } from "../support/send-request.ts";
import { waitUntil } from "../support/wait.ts";

const NOWHERE = "http://127.0.0.1:9/api/v1";
const MODEL = "openai/gpt-4o-mini";

/** A client that expects errors in one format. */
interface Client {
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers?: Record<string, string>;
  /** The status that the client receives instead of another one. */
  readonly statuses?: Readonly<Record<number, number>>;
  readonly isAnthropic?: boolean;
}

const MESSAGES = [{ role: "user", content: "Hello" }];
const CLIENTS: Readonly<Record<string, Client>> = {
  "Chat Completions": { path: "/openai/v1/chat/completions", body: { model: MODEL, messages: MESSAGES } },
  Embeddings: { path: "/v1/embeddings", body: { model: MODEL, input: "Hello" } },
  Responses: { path: "/api/v1/responses", body: { model: MODEL, input: "Hello" } },
  Codex: {
    path: "/openai/v1/responses",
    body: { model: MODEL, input: "Hello" },
    headers: { originator: "codex_exec" },
    statuses: { 401: 400, 403: 400, 404: 400, 413: 400 },
  },
  Messages: {
    path: "/anthropic/v1/messages",
    body: { model: MODEL, max_tokens: 9, messages: MESSAGES },
    isAnthropic: true,
  },
  "Messages below /v1": {
    path: "/v1/messages?beta=true",
    body: { model: MODEL, max_tokens: 9, messages: MESSAGES },
    headers: { "x-api-key": CALLER_KEY },
    isAnthropic: true,
  },
};

/** Types of errors by status: OpenAI's, with those of the gateway, and Anthropic's. */
const TYPES: Readonly<Record<number, readonly [openai: string, anthropic: string]>> = {
  400: ["invalid_request_error", "invalid_request_error"],
  401: ["authentication_error", "authentication_error"],
  403: ["permission_error", "permission_error"],
  404: ["invalid_request_error", "not_found_error"],
  405: ["invalid_request_error", "invalid_request_error"],
  413: ["invalid_request_error", "request_too_large"],
  415: ["invalid_request_error", "invalid_request_error"],
  429: ["rate_limit_error", "rate_limit_error"],
  502: ["upstream_error", "api_error"],
  503: ["server_error", "overloaded_error"],
  504: ["upstream_error", "timeout_error"],
};

type Send = (port: number, request?: TestRequest) => Promise<RawResponse>;

/** Causes one error. @returns the response. */
type Cause = (send: Send, client: Client) => Promise<RawResponse>;

const refuse =
  (request: TestRequest, env: Record<string, string> = {}): Cause =>
  async (send) =>
    send((await startTestGateway(NOWHERE, env)).port, request);

const CAUSES: readonly (readonly [error: string, retry: "false" | undefined, cause: Cause])[] = [
  ["400 invalid_json", "false", refuse({ body: "{" })],
  ["401 invalid_api_key", "false", refuse({ headers: { authorization: undefined, "x-api-key": undefined } })],
  [
    "403 key_role_not_allowed",
    "false",
    async (send) => {
      const { port, admin } = await startKeyedGateway(NOWHERE);
      return send(port, { headers: { authorization: `Bearer ${admin}`, "x-api-key": undefined } });
    },
  ],
  [
    "404 unknown_url",
    "false",
    async (send, { path, isAnthropic }) => {
      const { port } = await startTestGateway(NOWHERE);
      // A misplaced /messages gets 400 instead.
      return send(port, { path: isAnthropic ? "/anthropic/v1/none" : `/none${path}` });
    },
  ],
  ["405 method_not_allowed", "false", refuse({ method: "GET", body: "" })],
  ["413 request_too_large", "false", refuse({ body: " ".repeat(2_000) }, { BODY_LIMIT_BYTES: "1024" })],
  ["415 unsupported_media_type", "false", refuse({ headers: { "content-type": "text/plain" } })],
  [
    "429 rate_limit_exceeded",
    undefined,
    async (send) => {
      const { port } = await startTestGateway(NOWHERE, { RATE_LIMIT_MAX: "1" });
      await send(port);
      return send(port);
    },
  ],
  ["502 upstream_unreachable", undefined, refuse({})],
  [
    "502 upstream_disconnected",
    "false",
    async (send) => {
      const upstream = await startScriptedUpstream((socket) => socket.destroy());
      return send((await startTestGateway(upstream.baseUrl)).port);
    },
  ],
  [
    "503 overloaded",
    undefined,
    async (send, { path, body, headers }) => {
      const { upstream, finish } = await startHeldUpstream();
      const { port } = await startTestGateway(upstream.baseUrl, { MAX_IN_FLIGHT: "1" });
      const first = new RawClient(port);
      const authorization = `Bearer ${CALLER_KEY}`;
      first.post(path, JSON.stringify({ ...body, stream: true }), { ...headers, authorization });
      await waitUntil(() => first.readResponse()?.body.length, "the first stream to begin");
      const response = await send(port);
      finish();
      return response;
    },
  ],
  [
    "504 upstream_timeout",
    "false",
    async (send) => {
      const upstream = await startScriptedUpstream(() => {});
      const env = { UPSTREAM_HEADERS_TIMEOUT_MS: "1000" };
      return send((await startTestGateway(upstream.baseUrl, env)).port);
    },
  ],
];

const ROWS = Object.entries(CLIENTS).flatMap(([name, client]) =>
  CAUSES.map(([error, retry, cause]) => [name, error, { retry, cause, client }] as const),
);

test.each(ROWS)("a client of %s receives %s in its format", async (_name, error, row) => {
  const { retry, cause, client } = row;
  const send: Send = (port, request = {}) =>
    sendRequest(port, {
      path: client.path,
      body: JSON.stringify(client.body),
      ...request,
      headers: { ...client.headers, ...request.headers },
    });
  const [status, code] = [Number(error.slice(0, 3)), error.slice(4)];
  const response = await cause(send, client);
  const [openaiType, anthropicType] = TYPES[status] ?? [];
  expect(response.status).toBe(client.statuses?.[status] ?? status);
  const json = JSON.parse(response.body.toString());
  const message = expect.stringMatching(/\w/) as string;
  expect(json).toEqual(
    client.isAnthropic
      ? {
          type: "error",
          error: { type: anthropicType, message, param: null, code },
          request_id: response.headers["x-request-id"],
        }
      : { error: { message, type: openaiType, param: null, code } },
  );
  expect(response.headers["content-type"]).toBe("application/json");
  expect(response.headers["x-should-retry"]).toBe(retry);
});

/** The headers with which Codex 0.171.0 asks for a WebSocket. */
const CODEX_UPGRADE = [
  "Host: g",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
  `authorization: Bearer ${CALLER_KEY}`,
  "user-agent: codex_exec/0.171.0 (Debian 12.0.0; x86_64) unknown (codex_exec; 0.171.0)",
  "originator: codex_exec",
  "openai-beta: responses_websockets=2026-02-06",
  "version: 0.171.0",
  "session-id: 00000000-0000-4000-8000-000000000016",
  "sec-websocket-extensions: permessage-deflate; client_max_window_bits",
].join("\r\n");

test.each(["/openai/v1", "/v1", "/api/v1"])(
  "Codex's upgrade of %s/responses gets 426 with a key or without, and the connection stays usable",
  async (basePath) => {
    const upstream = await startScriptedUpstream((socket) => socket.destroy());
    const gateway = await startTestGateway(upstream.baseUrl);
    for (const head of [CODEX_UPGRADE, CODEX_UPGRADE.replace(CALLER_KEY, "sk-unknown")]) {
      const client = new RawClient(gateway.port);
      client.send(`GET ${basePath}/responses HTTP/1.1\r\n${head}\r\n\r\n`);
      const { status, headers, body } = await client.waitForResponse("the upgrade");
      expect([status, headers["upgrade"]]).toEqual([426, "HTTP/1.1"]);
      expect(JSON.parse(body.toString()).error.code).toBe("upgrade_not_supported");
      const { length } = client.received;
      client.send("GET /healthz HTTP/1.1\r\nhost: g\r\n\r\n");
      await waitUntil(() => client.received.subarray(length).includes("ok"), "the second response");
    }
    expect(upstream.connections).toBe(0);
  },
);
