import { expect, onTestFinished, test, vi } from "vitest";
import { buildChatBody, CHAT_PATH } from "../support/chat-request.ts";
import { createGroup, createLimitedKey } from "../support/limited-app.ts";
import { authorize, startLimitedGateway } from "../support/limited-gateway.ts";
import { RawClient, type RawResponse } from "../support/raw-client.ts";
import {
  formatChunk,
  formatChunkedHead,
  formatResponse,
  type Script,
  startScriptedUpstream,
} from "../support/scripted-upstream.ts";
import { waitUntil } from "../support/wait.ts";

const JSON_TYPE = { "content-type": "application/json" };
const STREAM_BEGINS = Buffer.concat([Buffer.from(formatChunkedHead()), formatChunk("data: 1\n\n")]);
const OK: Script = (socket) => socket.write(formatResponse(200, JSON_TYPE, "{}"));
const MODELS = { method: "GET", path: "/openai/v1/models", body: "" };

/** Script of an upstream that never ends a stream, and responds to other requests at once. */
const holdStreams: Script = (socket, request) =>
  request.body.includes('"stream":true') ? socket.write(STREAM_BEGINS) : OK(socket, request);

/** Script of an upstream that states these tokens. */
const stateTokens = (prompt: number, completion: number): Script => {
  const usage = { prompt_tokens: prompt, completion_tokens: completion, cost: 0.01 };
  return (socket) => socket.write(formatResponse(200, JSON_TYPE, JSON.stringify({ id: "gen-1", usage })));
};

function readError({ body }: RawResponse): { code: string; message: string } {
  return (JSON.parse(body.toString()) as { error: { code: string; message: string } }).error;
}

/** Builds a chat request whose estimate is exactly this number of tokens: 200 bytes, and the rest as `max_tokens`. */
function bodyOfTokens(tokens: number): string {
  const fields = { max_tokens: tokens - 50 };
  const padding = 200 - buildChatBody({ ...fields, user: "" }).length;
  return buildChatBody({ ...fields, user: "x".repeat(padding) });
}

/** Moves the monotonic clock of the gateway forward until the test ends. */
function skip(ms: number): void {
  const now = performance.now.bind(performance);
  const clock = vi.spyOn(performance, "now").mockImplementation(() => now() + ms);
  onTestFinished(() => clock.mockRestore());
}

test("a key's own requests per minute replace RATE_LIMIT_MAX, and the refusal names the limit and the key", async () => {
  const upstream = await startScriptedUpstream(OK);
  const keys = [createLimitedKey("a", { requestsPerMinute: 3 }), createLimitedKey("b", {})];
  const gateway = await startLimitedGateway(upstream.baseUrl, keys, { RATE_LIMIT_MAX: "1" });
  const responses = [];
  for (let sent = 0; sent < 4; sent++) responses.push(await gateway.call("a"));
  expect(responses.map(({ status }) => status)).toEqual([200, 200, 200, 429]);
  expect(responses[0]?.headers).toMatchObject({
    "x-ratelimit-limit-requests": "3",
    "x-ratelimit-remaining-requests": "2",
    "x-ratelimit-reset-requests": "1m0s",
  });
  const refused = responses[3] as RawResponse;
  expect(readError(refused)).toMatchObject({
    code: "rate_limit_exceeded",
    message: expect.stringMatching(
      /^The limit of 3 requests per minute of key a is reached; try again in (1m0|59)s\.$/,
    ),
  });
  expect(refused.headers).toMatchObject({
    "x-ratelimit-remaining-requests": "0",
    "retry-after": "60",
    "retry-after-ms": expect.stringMatching(/^(59\d\d\d|60000)$/),
  });
  expect([(await gateway.call("b")).status, (await gateway.call("b")).status]).toEqual([200, 429]);
});

test("the keys of a group share the limits of the group, and a refused request is not counted for its key", async () => {
  const upstream = await startScriptedUpstream(OK);
  const group = createGroup("team-a", { requestsPerMinute: 3 });
  const keys = ["a", "b"].map((name) => createLimitedKey(name, { requestsPerDay: 10 }, group));
  const gateway = await startLimitedGateway(upstream.baseUrl, keys);
  const responses = [];
  for (const name of ["a", "b", "a", "b", "a"]) responses.push(await gateway.call(name));
  expect(responses.map(({ status }) => status)).toEqual([200, 200, 200, 429, 429]);
  expect(readError(responses[3] as RawResponse).message).toContain("3 requests per minute of group team-a");
  // The group's limit has the least left.
  expect(responses.map(({ headers }) => headers["x-ratelimit-remaining-requests"])).toEqual([
    "2",
    "1",
    "0",
    "0",
    "0",
  ]);
  expect(responses.map(({ headers }) => headers["x-ratelimit-limit-requests"])).toEqual(Array(5).fill("3"));
  skip(61_000);
  const later = await gateway.call("b");
  expect([later.status, later.headers["x-ratelimit-limit-requests"]]).toEqual([200, "3"]);
});

test("a key that has used its requests of a day is refused without a hint to retry within a minute", async () => {
  const upstream = await startScriptedUpstream(OK);
  const gateway = await startLimitedGateway(upstream.baseUrl, [
    createLimitedKey("a", { requestsPerDay: 1, requestsPerMinute: 1 }),
  ]);
  expect((await gateway.call("a", MODELS)).headers["x-ratelimit-reset-requests"]).toMatch(
    /^(24h0m0|23h59m59)s$/,
  );
  const refused = await gateway.call("a");
  expect(refused.status).toBe(429);
  expect(readError(refused).message).toMatch(
    /^The limit of 1 requests per day of key a is reached; try again in 2/,
  );
  expect(refused.headers).toMatchObject({ "retry-after": "60", "x-should-retry": "false" });
  expect(upstream.seen.filter(({ line }) => line.startsWith("POST")).length).toBe(0);
});

test("requests in flight of a key and of its group are limited, and every ending releases the places", async () => {
  const upstream = await startScriptedUpstream(holdStreams);
  const group = createGroup("team-a", { maxInFlight: 3 });
  const keys = ["a", "b"].map((name) =>
    createLimitedKey(name, { maxInFlight: 2, requestsPerMinute: 1_000 }, group),
  );
  const gateway = await startLimitedGateway(upstream.baseUrl, keys);
  const streams = [await gateway.openStream("a"), await gateway.openStream("a")];
  const ofKey = await gateway.call("a");
  expect([ofKey.status, readError(ofKey)]).toEqual([
    429,
    expect.objectContaining({
      code: "concurrency_limit_exceeded",
      message: "The limit of 2 requests in flight of key a is reached; wait for one to end.",
    }),
  ]);
  expect(ofKey.headers).toMatchObject({ "retry-after": "1", "retry-after-ms": "1000" });
  streams.push(await gateway.openStream("b"));
  const ofGroup = await gateway.call("b");
  expect(readError(ofGroup).message).toContain("3 requests in flight of group team-a");
  // A refused request is not counted, and a request that calls no model takes no place.
  expect(ofGroup.headers["x-ratelimit-remaining-requests"]).toBe("999");
  expect((await gateway.call("b", MODELS)).headers["x-ratelimit-remaining-requests"]).toBe("998");
  for (const { socket } of streams) socket.resetAndDestroy();
  await waitUntil(async () => (await gateway.call("a")).status === 200, "a free place");
  for (const ending of [{ body: "{}" }, { body: "{" }, { headers: { "content-type": "text/plain" } }, {}])
    for (let sent = 0; sent < 3; sent++) expect((await gateway.call("b", ending)).status).not.toBe(429);
});

test("tokens are estimated before the request is sent, and corrected with those that upstream states", async () => {
  const upstream = await startScriptedUpstream(stateTokens(100, 50));
  const gateway = await startLimitedGateway(upstream.baseUrl, [
    createLimitedKey("a", { tokensPerMinute: 1_000 }),
  ]);
  const first = await gateway.call("a", { body: bodyOfTokens(600) });
  expect([first.status, first.headers["x-ratelimit-remaining-tokens"]]).toEqual([200, "400"]);
  const second = await gateway.call("a", { body: bodyOfTokens(850) });
  expect([second.status, second.headers["x-ratelimit-remaining-tokens"]]).toEqual([200, "0"]);
  expect(second.headers).toMatchObject({
    "x-ratelimit-limit-tokens": "1000",
    "x-ratelimit-reset-tokens": "1m0s",
  });
  const refused = await gateway.call("a", { body: bodyOfTokens(701) });
  expect(refused.status).toBe(429);
  expect(readError(refused).message).toMatch(
    /^The request may take 701 tokens, and 700 of the limit of 1000 tokens per minute of key a are left; try again in/,
  );
  expect(refused.headers["x-ratelimit-remaining-tokens"]).toBe("700");
  expect((await gateway.call("a", { body: bodyOfTokens(700) })).status).toBe(200);
});

test("a request that may take more tokens than the whole limit is refused with the hint not to retry", async () => {
  const upstream = await startScriptedUpstream(OK);
  const group = createGroup("team-a", { tokensPerMinute: 500 });
  const gateway = await startLimitedGateway(upstream.baseUrl, [
    createLimitedKey("a", { tokensPerMinute: 900 }, group),
  ]);
  const refused = await gateway.call("a", { body: bodyOfTokens(501) });
  expect(refused.status).toBe(429);
  expect(readError(refused).message).toBe(
    "The request may take 501 tokens, which is more than the whole limit of 500 tokens per minute of group team-a; send a shorter prompt or a lower max_tokens.",
  );
  expect(refused.headers["x-should-retry"]).toBe("false");
  expect((await gateway.call("a", { body: bodyOfTokens(500) })).headers["x-ratelimit-remaining-tokens"]).toBe(
    "0",
  );
});

test("a key without tokens left is refused before its body arrives, until the window ends", async () => {
  const upstream = await startScriptedUpstream(stateTokens(1_500, 0));
  const gateway = await startLimitedGateway(upstream.baseUrl, [
    createLimitedKey("a", { tokensPerMinute: 1_000 }),
  ]);
  expect((await gateway.call("a")).status).toBe(200);
  const client = new RawClient(gateway.port);
  const head = { host: "gateway", ...JSON_TYPE, ...authorize("a"), "content-length": "1000" };
  const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}\r\n`);
  client.send(`POST ${CHAT_PATH} HTTP/1.1\r\n${lines.join("")}\r\n`);
  const refused = await client.waitForResponse("a request whose body is missing");
  expect(refused.status).toBe(429);
  expect(readError(refused).message).toMatch(/^The limit of 1000 tokens per minute of key a is reached/);
  skip(61_000);
  expect((await gateway.call("a")).status).toBe(200);
});

test.each<[string, Script, string]>([
  [
    "that upstream refused",
    (socket) => socket.write(formatResponse(429, JSON_TYPE, '{"error":{"code":429,"message":"slow down"}}')),
    "1000",
  ],
  ["whose usage upstream did not state", OK, "400"],
])("a request %s leaves the right number of tokens", async (_, script, left) => {
  const upstream = await startScriptedUpstream(script);
  const gateway = await startLimitedGateway(upstream.baseUrl, [
    createLimitedKey("a", { tokensPerMinute: 1_000 }),
  ]);
  await gateway.call("a", { body: bodyOfTokens(600) });
  const next = await gateway.call("a", { body: "{}" });
  expect([next.status, next.headers["x-ratelimit-remaining-tokens"]]).toEqual([400, left]);
});

test("a dry run counts as a request, and takes no tokens", async () => {
  const upstream = await startScriptedUpstream(OK);
  const gateway = await startLimitedGateway(upstream.baseUrl, [
    createLimitedKey("a", { tokensPerMinute: 1_000 }),
  ]);
  await gateway.call("a", { path: `${CHAT_PATH}?dryRun=true`, body: bodyOfTokens(900) });
  expect((await gateway.call("a", { body: bodyOfTokens(900) })).status).toBe(200);
});

test("concurrent requests together never exceed a limit", async () => {
  const upstream = await startScriptedUpstream(holdStreams);
  const group = createGroup("team-a", { requestsPerMinute: 40, maxInFlight: 25, tokensPerMinute: 1_500 });
  const keys = ["a", "b"].map((name) => createLimitedKey(name, {}, group));
  const gateway = await startLimitedGateway(upstream.baseUrl, keys);
  const body = bodyOfTokens(100).replace("{", '{"stream":true,');
  const clients = Array.from({ length: 100 }, (_, index) => {
    const client = new RawClient(gateway.port);
    client.post(CHAT_PATH, body, authorize(index % 2 ? "a" : "b"));
    return client;
  });
  await waitUntil(() => clients.every((client) => client.readResponse()), "all responses");
  const admitted = clients.filter((client) => client.readResponse()?.status === 200).length;
  expect([admitted, upstream.seen.length]).toEqual([14, 14]);
});

test("OpenAI's headers are the gateway's, and the other limit headers are all from OpenRouter if it sends one of them", async () => {
  const theirs = {
    "X-RateLimit-Limit": "20",
    "X-RateLimit-Limit-Requests": "77",
    "X-RateLimit-Reset-Tokens": "9s",
  };
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(formatResponse(200, { ...JSON_TYPE, ...theirs }, "{}")),
  );
  const keys = [createLimitedKey("a", { requestsPerMinute: 5 }), createLimitedKey("b", {})];
  const gateway = await startLimitedGateway(upstream.baseUrl, keys);
  const pick = ({ headers }: RawResponse): Record<string, string> =>
    Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith("x-ratelimit-")));
  expect(pick(await gateway.call("a"))).toEqual({
    "x-ratelimit-limit": "20",
    "x-ratelimit-limit-requests": "5",
    "x-ratelimit-remaining-requests": "4",
    "x-ratelimit-reset-requests": "1m0s",
    "x-ratelimit-reset-tokens": "9s",
  });
  expect(pick(await gateway.call("b"))).toEqual({
    "x-ratelimit-limit": "20",
    "x-ratelimit-limit-requests": "77",
    "x-ratelimit-reset-tokens": "9s",
  });
});
