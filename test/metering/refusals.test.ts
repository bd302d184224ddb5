import { expect, test } from "vitest";
import { errorBody } from "../../tools/simulator/errors.ts";
import type { RequestRow } from "../../src/metering/record.ts";
import { CHAT_PATH, chatBody } from "../support/chat.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import {
  chunk,
  chunkedHead,
  LAST_CHUNK,
  responseBytes,
  startScriptedUpstream,
} from "../support/scripted-upstream.ts";
import { until } from "../support/until.ts";

const JSON_TYPE = { "content-type": "application/json" };
const HTML = { "content-type": "text/html; charset=UTF-8" };
const ERROR = errorBody(429);

type Row = Pick<RequestRow, "state" | "cost_source" | "status">;

/** Starts a gateway whose upstream writes these bytes. */
async function start(bytes: readonly (Buffer | string)[], end: boolean) {
  const upstream = await startScriptedUpstream((socket) => {
    for (const part of bytes) socket.write(part);
    if (end) socket.end();
  });
  const gateway = await startKeyedGateway(upstream.baseUrl, { DISCONNECT_HEAD_WAIT_MS: "300" });
  const row = async (): Promise<Row> => {
    const data: Row[] = await until(async () => {
      const { body } = await gateway.manage("GET", "/requests");
      return body.data.length > 0 && body.data[0].state !== "open" ? body.data : undefined;
    }, "the row");
    return data[0] as Row;
  };
  return { gateway, row };
}

const NOTHING = { state: "settled", cost_source: "none", cost_nanodollars: 0 };
const UNKNOWN = { state: "unknown", cost_source: "unknown", cost_nanodollars: null };
const PENDING = { state: "pending", cost_source: null };
const GENERATION = { "x-generation-id": "gen-1" };
const half = ERROR.slice(0, 20);

test.each<[string, readonly (Buffer | string)[], Record<string, unknown>]>([
  ["a JSON error in OpenRouter's shape", [responseBytes(429, JSON_TYPE, ERROR)], NOTHING],
  ["a JSON 502 of OpenRouter's own", [responseBytes(502, JSON_TYPE, errorBody(502))], NOTHING],
  [
    "a chunked JSON error",
    [chunkedHead(JSON_TYPE, 400), chunk(half), chunk(ERROR.slice(20)), LAST_CHUNK],
    NOTHING,
  ],
  [
    "an error with two megabytes of metadata",
    [responseBytes(400, JSON_TYPE, errorBody(400, { metadataBytes: 2_000_000 }))],
    NOTHING,
  ],
  ["the JSON 401 for the gateway's own key", [responseBytes(401, JSON_TYPE, errorBody(401))], NOTHING],
  ["a JSON 402", [responseBytes(402, JSON_TYPE, errorBody(402))], NOTHING],
  ["a JSON error with a generation", [responseBytes(429, { ...JSON_TYPE, ...GENERATION }, ERROR)], PENDING],
  ["a page with a generation", [responseBytes(502, { ...HTML, ...GENERATION }, "<html>")], PENDING],
  ["a redirect with a generation", [responseBytes(302, { ...GENERATION, location: "/x" })], PENDING],
  ["a 408 without a body", [responseBytes(408, {})], UNKNOWN],
  ["a 499 without a body", [responseBytes(499, {})], UNKNOWN],
  ["a JSON 408", [responseBytes(408, JSON_TYPE, errorBody(408))], UNKNOWN],
  ["a JSON 524", [responseBytes(524, JSON_TYPE, errorBody(524))], UNKNOWN],
  ...[401, 403, 429, 500, 502, 503, 520, 522, 523].map(
    (status): [string, Buffer[], Record<string, unknown>] => [
      `a page of status ${status}`,
      [responseBytes(status, HTML, "<html></html>")],
      UNKNOWN,
    ],
  ),
  ["a page called JSON", [responseBytes(502, JSON_TYPE, "<html></html>")], UNKNOWN],
  ["an empty body called JSON", [responseBytes(503, JSON_TYPE)], UNKNOWN],
  ["an empty 401 called JSON", [responseBytes(401, JSON_TYPE)], UNKNOWN],
  ["a JSON error called text", [responseBytes(400, { "content-type": "text/plain" }, ERROR)], UNKNOWN],
  ["somebody else's JSON", [responseBytes(403, JSON_TYPE, '{"message":"Forbidden"}')], UNKNOWN],
  ["a redirect", [responseBytes(302, { ...JSON_TYPE, location: "/x" }, ERROR)], UNKNOWN],
  ["a status that is not HTTP", [responseBytes(999, JSON_TYPE, ERROR)], UNKNOWN],
])("a request ends accordingly when upstream answers with %s", async (_, bytes, expected) => {
  const { gateway, row } = await start(bytes, false);
  await gateway.call(gateway.caller);
  expect(await row()).toMatchObject(expected);
  const unknown = gateway.log().includes("the cost of a request will not be known");
  expect(unknown).toBe(expected === UNKNOWN);
});

test.each<[string, readonly (Buffer | string)[]]>([
  [
    "a JSON error shorter than its length",
    [responseBytes(429, { ...JSON_TYPE, "content-length": "999" }, ERROR)],
  ],
  ["a chunked JSON error without its last chunk", [chunkedHead(JSON_TYPE, 429), chunk(ERROR)]],
  ["a 401 without its last chunk", [chunkedHead(JSON_TYPE, 401), chunk(errorBody(401))]],
  [
    "a JSON error without a length that is cut",
    [`HTTP/1.1 429 Status\r\ncontent-type: application/json\r\n\r\n${half}`],
  ],
])("a request is unknown when upstream breaks off %s", async (_, bytes) => {
  const { gateway, row } = await start(bytes, true);
  await gateway.call(gateway.caller).catch(() => {});
  expect(await row()).toMatchObject(UNKNOWN);
});

test("a request is unknown when its caller leaves before the error has come whole", async () => {
  const { gateway, row } = await start([chunkedHead(JSON_TYPE, 429), chunk(half)], false);
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, chatBody({}), { authorization: `Bearer ${gateway.caller}` });
  await until(() => client.response()?.body.length, "the first part of the error");
  client.socket.destroy();
  expect(await row()).toMatchObject({ ...UNKNOWN, outcome: "client_gone" });
});

test.each([
  ["is never completed", [chunkedHead(JSON_TYPE, 401), chunk(errorBody(401).slice(0, -1))]],
  ["is endless", [chunkedHead(JSON_TYPE, 401), chunk(" ".repeat(70_000))]],
])(
  "answers at once, and the request is unknown, when the 401 for the gateway's own key %s",
  async (_, bytes) => {
    const { gateway, row } = await start(bytes, false);
    const answer = await gateway.call(gateway.caller);
    expect([answer.status, JSON.parse(answer.body.toString()).error.code]).toEqual([
      502,
      "upstream_auth_failed",
    ]);
    expect(await row()).toMatchObject(UNKNOWN);
  },
);
