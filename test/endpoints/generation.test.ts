import { expect, test } from "vitest";
import { ACCOUNT_KEY, CALLER_KEY, startTestGateway } from "../support/gateway.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { readRows } from "../support/metered-gateway.ts";
import type { RawResponse } from "../support/raw-client.ts";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { sendRequest } from "../support/send-request.ts";
import { waitUntil } from "../support/wait.ts";

const JSON_TYPE = { "content-type": "application/json" };
const OWN_KEYS = { OPENROUTER_API_KEY: undefined, GATEWAY_API_KEYS: undefined };
const RECORD = '{ "data":{"id":"gen-1","total_cost":0.10} }';
const COMPLETION = '{"id":"gen-1","usage":{"prompt_tokens":1,"completion_tokens":1,"cost":0.1}}';

/** Starts an upstream whose chat completions all have the id gen-1, and which has a record of every generation. */
const startUpstream = () =>
  startScriptedUpstream((socket, { line }) =>
    socket.write(formatResponse(200, JSON_TYPE, line.startsWith("GET") ? RECORD : COMPLETION)),
  );

const get = (port: number, path: string, secret: string | undefined): Promise<RawResponse> =>
  sendRequest(port, {
    method: "GET",
    path,
    headers: { authorization: secret === undefined ? undefined : `Bearer ${secret}` },
    body: "",
  });

const readError = ({ status, body }: RawResponse): unknown[] => {
  const { error } = JSON.parse(body.toString());
  return [status, error.code, error.param];
};

async function startWithGeneration() {
  const upstream = await startUpstream();
  const gateway = await startKeyedGateway(upstream.baseUrl);
  expect((await gateway.call(gateway.caller)).status).toBe(200);
  await waitUntil(
    async () => (await readRows(gateway)).some((row) => row.generation_id === "gen-1"),
    "the row",
  );
  const lookUps = (): string[] =>
    upstream.seen.map(({ line }) => line).filter((line) => line.startsWith("GET"));
  return { upstream, gateway, lookUps };
}

test("relays the record of a generation to the key that made it, below every base path and with unchanged bytes", async () => {
  const { upstream, gateway } = await startWithGeneration();
  for (const basePath of ["/openai/v1", "/v1", "/api/v1", "/anthropic/v1"]) {
    const response = await get(gateway.port, `${basePath}/generation?id=gen-1`, gateway.caller);
    expect([response.status, response.body.toString()]).toEqual([200, RECORD]);
  }
  const last = upstream.seen.at(-1);
  expect([last?.line, last?.headers["authorization"]]).toEqual([
    "GET /api/v1/generation?id=gen-1 HTTP/1.1",
    `Bearer ${ACCOUNT_KEY}`,
  ]);
});

test("a generation of another key, an unknown one and an impossible id are not found, and OpenRouter is not asked", async () => {
  const { gateway, lookUps } = await startWithGeneration();
  const { secret } = (await gateway.callAdmin("POST", "/keys", { name: "bob" })).body;
  const notFound = [404, "generation_not_found", "id"];
  expect(readError(await get(gateway.port, "/v1/generation?id=gen-1", secret))).toEqual(notFound);
  for (const id of ["gen-2", "gen-1%00", "%25", "g%C3%A4", "x".repeat(129)])
    expect(readError(await get(gateway.port, `/v1/generation?id=${id}`, gateway.caller))).toEqual(notFound);
  expect(lookUps()).toEqual([]);
});

test.each([
  ["", "missing_required_parameter", "id"],
  ["?id=", "missing_required_parameter", "id"],
  ["?id=gen-1&id=gen-2", "invalid_value", "id"],
  ["?id=gen-1&x=1", "invalid_value", "x"],
])("refuses the query %j with 400 %s", async (query, code, param) => {
  const { gateway, lookUps } = await startWithGeneration();
  expect(readError(await get(gateway.port, `/v1/generation${query}`, gateway.caller))).toEqual([
    400,
    code,
    param,
  ]);
  expect(lookUps()).toEqual([]);
});

test("a revoked key's successor of the same name does not see its generations", async () => {
  const { gateway } = await startWithGeneration();
  const first = (await gateway.callAdmin("POST", "/keys", { name: "bob" })).body.secret;
  await gateway.call(first);
  await waitUntil(async () => (await readRows(gateway)).length === 2, "the second row");
  await waitUntil(
    async () => (await readRows(gateway)).every((row) => row.state !== "open"),
    "both rows to end",
  );
  expect((await get(gateway.port, "/v1/generation?id=gen-1", first)).status).toBe(200);
  await gateway.callAdmin("DELETE", "/keys/bob");
  const second = (await gateway.callAdmin("POST", "/keys", { name: "bob" })).body.secret;
  expect((await get(gateway.port, "/v1/generation?id=gen-1", second)).status).toBe(404);
});

test("without a key, and without a ledger, no generation is found", async () => {
  const upstream = await startUpstream();
  const gateway = await startTestGateway(upstream.baseUrl, { ALLOW_ANONYMOUS: "true" });
  for (const secret of [undefined, "sk-anything", CALLER_KEY]) {
    const response = await get(gateway.port, "/v1/generation?id=gen-1", secret);
    expect(readError(response)).toEqual([404, "generation_not_found", "id"]);
    expect(response.body.toString()).toContain(secret === CALLER_KEY ? "no ledger" : "has no key");
  }
  expect(upstream.seen).toEqual([]);
});

test("an anonymous caller finds no generation of other anonymous callers in the ledger", async () => {
  const upstream = await startUpstream();
  const gateway = await startKeyedGateway(upstream.baseUrl, { ALLOW_ANONYMOUS: "true" });
  expect((await gateway.call("sk-anything")).status).toBe(200);
  await waitUntil(
    async () => (await readRows(gateway)).some((row) => row.generation_id === "gen-1"),
    "the row",
  );
  const response = await get(gateway.port, "/v1/generation?id=gen-1", undefined);
  expect(readError(response)).toEqual([404, "generation_not_found", "id"]);
});

test("without an account, the client's key looks up the generation, and nothing is cached", async () => {
  const upstream = await startUpstream();
  const gateway = await startTestGateway(upstream.baseUrl, OWN_KEYS);
  for (const secret of ["sk-or-v1-a", "sk-or-v1-b"]) {
    const response = await get(gateway.port, "/api/v1/generation?id=gen-x%2F1", secret);
    expect([response.status, response.body.toString()]).toEqual([200, RECORD]);
  }
  expect(upstream.seen.map(({ line, headers }) => [line, headers["authorization"]])).toEqual([
    ["GET /api/v1/generation?id=gen-x%2F1 HTTP/1.1", "Bearer sk-or-v1-a"],
    ["GET /api/v1/generation?id=gen-x%2F1 HTTP/1.1", "Bearer sk-or-v1-b"],
  ]);
});

test("relays OpenRouter's 404 while it has no record yet", async () => {
  const body = '{"error":{"message":"Generation gen-1 not found","code":404}}';
  const upstream = await startScriptedUpstream((socket, { line }) =>
    socket.write(
      line.startsWith("GET")
        ? formatResponse(404, JSON_TYPE, body)
        : formatResponse(200, JSON_TYPE, COMPLETION),
    ),
  );
  const gateway = await startKeyedGateway(upstream.baseUrl);
  await gateway.call(gateway.caller);
  await waitUntil(
    async () => (await readRows(gateway)).some((row) => row.generation_id === "gen-1"),
    "the row",
  );
  const response = await get(gateway.port, "/v1/generation?id=gen-1", gateway.caller);
  expect([response.status, response.body.toString()]).toEqual([404, body]);
});
