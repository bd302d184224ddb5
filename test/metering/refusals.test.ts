import { expect, test } from "vitest";
import { formatError } from "../../tools/simulator/errors.ts";
import type { RequestRow } from "../../src/metering/record.ts";
import { CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import {
  formatChunk,
  formatChunkedHead,
  LAST_CHUNK,
  formatResponse,
  startScriptedUpstream,
} from "../support/scripted-upstream.ts";
import { waitUntil } from "../support/wait.ts";

const JSON_TYPE = { "content-type": "application/json" };
const HTML = { "content-type": "text/html; charset=UTF-8" };
const ERROR = formatError(429);

type Row = Pick<RequestRow, "state" | "cost_source" | "status">;

/** Starts a gateway whose upstream responds with these bytes. */
async function start(bytes: readonly (Buffer | string)[], end: boolean) {
  const upstream = await startScriptedUpstream((socket) => {
    for (const part of bytes) socket.write(part);
    if (end) socket.end();
  });
  const gateway = await startKeyedGateway(upstream.baseUrl, { DISCONNECT_HEAD_WAIT_MS: "300" });
  const waitForFinalRow = async (): Promise<Row> => {
    const data: Row[] = await waitUntil(async () => {
      const { body } = await gateway.callAdmin("GET", "/requests");
      return body.data.length > 0 && body.data[0].state !== "open" ? body.data : undefined;
    }, "the row");
    return data[0] as Row;
  };
  return { gateway, waitForFinalRow };
}

const NOT_CHARGED = { state: "settled", cost_source: "none", cost_nanodollars: 0 };
const UNKNOWN = { state: "unknown", cost_source: "unknown", cost_nanodollars: null };
const PENDING = { state: "pending", cost_source: null };
const GENERATION = { "x-generation-id": "gen-1" };
const half = ERROR.slice(0, 20);

test.each<[string, readonly (Buffer | string)[], Record<string, unknown>]>([
  ["a JSON error in OpenRouter's shape", [formatResponse(429, JSON_TYPE, ERROR)], NOT_CHARGED],
  ["OpenRouter's own JSON 502", [formatResponse(502, JSON_TYPE, formatError(502))], NOT_CHARGED],
  [
    "a chunked JSON error",
    [formatChunkedHead(JSON_TYPE, 400), formatChunk(half), formatChunk(ERROR.slice(20)), LAST_CHUNK],
    NOT_CHARGED,
  ],
  [
    "an error with two megabytes of metadata",
    [formatResponse(400, JSON_TYPE, formatError(400, { metadataBytes: 2_000_000 }))],
    NOT_CHARGED,
  ],
  ["the JSON 401 for the gateway's own key", [formatResponse(401, JSON_TYPE, formatError(401))], NOT_CHARGED],
  ["a JSON 402", [formatResponse(402, JSON_TYPE, formatError(402))], NOT_CHARGED],
  [
    "a JSON error with a generation id",
    [formatResponse(429, { ...JSON_TYPE, ...GENERATION }, ERROR)],
    PENDING,
  ],
  ["an HTML page with a generation id", [formatResponse(502, { ...HTML, ...GENERATION }, "<html>")], PENDING],
  ["a redirect with a generation id", [formatResponse(302, { ...GENERATION, location: "/x" })], PENDING],
  ["a 408 without a body", [formatResponse(408, {})], UNKNOWN],
  ["a 499 without a body", [formatResponse(499, {})], UNKNOWN],
  ["a JSON 408", [formatResponse(408, JSON_TYPE, formatError(408))], UNKNOWN],
  ["a JSON 524", [formatResponse(524, JSON_TYPE, formatError(524))], UNKNOWN],
  ...[401, 403, 429, 500, 502, 503, 520, 522, 523].map(
    (status): [string, Buffer[], Record<string, unknown>] => [
      `an HTML page with status ${status}`,
      [formatResponse(status, HTML, "<html></html>")],
      UNKNOWN,
    ],
  ),
  ["HTML labelled as JSON", [formatResponse(502, JSON_TYPE, "<html></html>")], UNKNOWN],
  ["an empty body labelled as JSON", [formatResponse(503, JSON_TYPE)], UNKNOWN],
  ["an empty 401 labelled as JSON", [formatResponse(401, JSON_TYPE)], UNKNOWN],
  ["a JSON error labelled as text", [formatResponse(400, { "content-type": "text/plain" }, ERROR)], UNKNOWN],
  ["JSON of another shape", [formatResponse(403, JSON_TYPE, '{"message":"Forbidden"}')], UNKNOWN],
  ["a redirect", [formatResponse(302, { ...JSON_TYPE, location: "/x" }, ERROR)], UNKNOWN],
  ["a status outside HTTP's range", [formatResponse(999, JSON_TYPE, ERROR)], UNKNOWN],
])("records the right state when upstream responds with %s", async (_, bytes, expected) => {
  const { gateway, waitForFinalRow } = await start(bytes, false);
  await gateway.call(gateway.caller);
  expect(await waitForFinalRow()).toMatchObject(expected);
  const unknown = gateway.readLog().includes("ledger: cost of a request is unknown");
  expect(unknown).toBe(expected === UNKNOWN);
});

test.each<[string, readonly (Buffer | string)[]]>([
  [
    "a JSON error shorter than its length",
    [formatResponse(429, { ...JSON_TYPE, "content-length": "999" }, ERROR)],
  ],
  ["a chunked JSON error without its last chunk", [formatChunkedHead(JSON_TYPE, 429), formatChunk(ERROR)]],
  ["a 401 without its last chunk", [formatChunkedHead(JSON_TYPE, 401), formatChunk(formatError(401))]],
  [
    "a truncated JSON error without a length",
    [`HTTP/1.1 429 Status\r\ncontent-type: application/json\r\n\r\n${half}`],
  ],
])("records the cost as unknown when upstream truncates %s", async (_, bytes) => {
  const { gateway, waitForFinalRow } = await start(bytes, true);
  await gateway.call(gateway.caller).catch(() => {});
  expect(await waitForFinalRow()).toMatchObject(UNKNOWN);
});

test("records the cost as unknown when the client disconnects in the middle of an error", async () => {
  const { gateway, waitForFinalRow } = await start(
    [formatChunkedHead(JSON_TYPE, 429), formatChunk(half)],
    false,
  );
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, buildChatBody({}), { authorization: `Bearer ${gateway.caller}` });
  await waitUntil(() => client.readResponse()?.body.length, "the first part of the error");
  client.socket.destroy();
  expect(await waitForFinalRow()).toMatchObject({ ...UNKNOWN, outcome: "client_gone" });
});

test.each([
  ["is never complete", [formatChunkedHead(JSON_TYPE, 401), formatChunk(formatError(401).slice(0, -1))]],
  ["is endless", [formatChunkedHead(JSON_TYPE, 401), formatChunk(" ".repeat(70_000))]],
])(
  "responds at once, and records the cost as unknown, when the 401 for the gateway's own key %s",
  async (_, bytes) => {
    const { gateway, waitForFinalRow } = await start(bytes, false);
    const response = await gateway.call(gateway.caller);
    expect([response.status, JSON.parse(response.body.toString()).error.code]).toEqual([
      502,
      "upstream_auth_failed",
    ]);
    expect(await waitForFinalRow()).toMatchObject(UNKNOWN);
  },
);
