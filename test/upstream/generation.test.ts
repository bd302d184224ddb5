import { expect, onTestFinished, test, vi } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { startSimulator } from "../../tools/simulator/simulator.ts";
import { type FindGeneration, type GenerationRecord, hasFinalCost } from "../../src/metering/cost-lookup.ts";
import { createGenerationFinder } from "../../src/upstream/generation.ts";
import { readResponseHead } from "../../src/upstream/response-head.ts";
import type { UpstreamSink } from "../../src/upstream/call.ts";
import { connectUpstream, type Upstream } from "../../src/upstream/openrouter.ts";
import { fetchBuffered } from "../../src/upstream/fetch-buffered.ts";
import { ACCOUNT_KEY } from "../support/gateway.ts";
import {
  formatChunk,
  formatChunkedHead,
  formatResponse,
  type Script,
  startScriptedUpstream,
} from "../support/scripted-upstream.ts";
import { createIdleCall } from "../support/upstream-call.ts";
import { waitUntil } from "../support/wait.ts";

const JSON_TYPE = { "content-type": "application/json" };
const AUTHORIZATION = `Bearer ${ACCOUNT_KEY}`;

function connectFinder(baseUrl: string): FindGeneration {
  const upstream = connectUpstream({
    baseUrl,
    connectTimeoutMs: 1_000,
    headersTimeoutMs: 5_000,
    idleTimeoutMs: 5_000,
    appUrl: undefined,
    appTitle: undefined,
  });
  onTestFinished(() => upstream.close());
  return createGenerationFinder(upstream, AUTHORIZATION);
}

/** Looks up a generation at an upstream that runs this script. @returns the record, or the code of the error. */
async function lookUpWith(script: Script): Promise<unknown> {
  const { baseUrl } = await startScriptedUpstream(script);
  return connectFinder(baseUrl)("gen-1").catch((error: unknown) => {
    if (!(error instanceof GatewayError)) throw error;
    return error.code;
  });
}

const record = (data: object): Script => {
  const bytes = formatResponse(200, JSON_TYPE, JSON.stringify({ data: { id: "gen-1", ...data } }));
  return (socket) => socket.write(bytes);
};

test("finds no record of a generation at first, and later its billed record", async () => {
  const simulator = await startSimulator({ generationDelayMs: 1_000, apiKeys: [ACCOUNT_KEY] });
  onTestFinished(() => simulator.close());
  const findGeneration = connectFinder(simulator.baseUrl);
  const response = await fetch(`${simulator.baseUrl}/chat/completions`, {
    method: "POST",
    headers: { authorization: AUTHORIZATION, ...JSON_TYPE },
    body: JSON.stringify({ model: "openai/gpt-4o", messages: [{ role: "user", content: "Hello" }] }),
  });
  const id = response.headers.get("x-generation-id") ?? "";
  const { usage } = (await response.json()) as {
    usage: { prompt_tokens: number; completion_tokens: number };
  };
  expect(await findGeneration("gen-of-nobody")).toBeUndefined();
  expect(await findGeneration(id)).toBeUndefined();
  expect(await waitUntil(() => findGeneration(id), "the record")).toEqual({
    costNanodollars: simulator.findBilledNanodollars(id),
    tokens: {
      prompt_tokens: usage.prompt_tokens,
      completion_tokens: usage.completion_tokens,
      cached_tokens: 0,
      reasoning_tokens: 0,
    },
    isByok: false,
    upstreamInferenceNanodollars: simulator.findBilledNanodollars(id),
    provider: expect.any(String) as string,
    model: expect.stringContaining("gpt-4o") as string,
  });
});

test("sends any id as one query value, with the account's key", async () => {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(formatResponse(404, JSON_TYPE, "{}")),
  );
  const findGeneration = connectFinder(upstream.baseUrl);
  for (const id of ["gen-1", "a&b=c", "../key?x=#", "é🌊", "\r\nx: y"])
    expect(await findGeneration(id)).toBeUndefined();
  expect(upstream.seen.map(({ line }) => line)).toEqual([
    "GET /api/v1/generation?id=gen-1 HTTP/1.1",
    "GET /api/v1/generation?id=a%26b%3Dc HTTP/1.1",
    "GET /api/v1/generation?id=..%2Fkey%3Fx%3D%23 HTTP/1.1",
    "GET /api/v1/generation?id=%C3%A9%F0%9F%8C%8A HTTP/1.1",
    "GET /api/v1/generation?id=%0D%0Ax%3A%20y HTTP/1.1",
  ]);
  expect(upstream.seen.every(({ headers }) => headers["authorization"] === AUTHORIZATION)).toBe(true);
});

test.each([
  ["no cost", {}],
  ["a cost of null", { total_cost: null }],
  ["a text that is not a number as its cost", { total_cost: "half a dollar" }],
  ["an empty text as its cost", { total_cost: "" }],
  ["a cost in hexadecimal", { total_cost: "0x10" }],
  ["a cost with white space", { total_cost: " 1" }],
  ["a cost of NaN as text", { total_cost: "NaN" }],
  ["an infinite cost as text", { total_cost: "Infinity" }],
  ["a negative cost as text", { total_cost: "-0.5" }],
  ["a cost that overflows as text", { total_cost: "1e999" }],
  ["a cost in a list", { total_cost: [0.5] }],
  ["a cost of true", { total_cost: true }],
  ["a negative cost", { total_cost: -0.000_001 }],
  ["a negative cost beside a usage", { total_cost: -1, usage: 0.5 }],
  ["a cost over the limit", { total_cost: 1e300 }],
  ["a cost just over the limit", { total_cost: 1_000_000.01 }],
])("rejects a record with %s", async (_, data) => {
  expect(await lookUpWith(record(data))).toBe("upstream_bad_response");
});

test.each([
  ["a number", { total_cost: 0.000_012_5 }, 12_500],
  ["a decimal text", { total_cost: "0.0000125" }, 12_500],
  ["a text with an exponent", { total_cost: "1.25e-5" }, 12_500],
  ["a text without a digit before the point", { total_cost: ".5" }, 500_000_000],
  ["a usage", { usage: 0.5 }, 500_000_000],
  ["a usage beside a cost of null", { total_cost: null, usage: "0.5" }, 500_000_000],
  ["a cost beside another usage", { total_cost: 0.25, usage: 0.5 }, 250_000_000],
  ["minus zero", { total_cost: -0 }, 0],
])("reads the cost from a record that states %s", async (_, data, costNanodollars) => {
  expect(await lookUpWith(record(data))).toMatchObject({ costNanodollars });
});

test.each([
  ["another id", "gen-2"],
  ["the id in capitals", "GEN-1"],
  ["a number", 1],
  ["null", null],
  ["no id", undefined],
])("rejects a record with %s instead of the generation's id", async (_, id) => {
  expect(await lookUpWith(record({ id, total_cost: 0.5 }))).toBe("upstream_bad_response");
});

test.each([
  ["a cost", { total_cost: 0.5 }, true],
  ["both counts and no cost", { total_cost: 0, tokens_prompt: 3, tokens_completion: 0 }, true],
  ["nothing", { total_cost: 0 }, false],
  ["counts of null", { total_cost: 0, native_tokens_prompt: null, native_tokens_completion: null }, false],
  ["only the count of its prompt", { total_cost: 0, tokens_prompt: 3, tokens_completion: null }, false],
])("a record that states %s has a final cost: %s", async (_, data, expected) => {
  expect(hasFinalCost((await lookUpWith(record(data))) as GenerationRecord)).toBe(expected);
});

test.each([
  [429, true],
  [401, true],
  [402, true],
  [403, true],
  [408, true],
  [307, true],
  [500, true],
  [529, true],
  [400, false],
  [410, false],
  [422, false],
])(
  "when upstream refuses a look-up with %i, the refusal applies to every generation: %s",
  async (status, isGeneral) => {
    const headers = { ...JSON_TYPE, "retry-after": "7" };
    const { baseUrl } = await startScriptedUpstream((socket) =>
      socket.write(formatResponse(status, headers, "{}")),
    );
    await expect(connectFinder(baseUrl)("gen-1")).rejects.toMatchObject({
      code: "upstream_error",
      isGeneral,
      retryAfterMs: 7_000,
    });
  },
);

test("rejects a cost that is too large for a JavaScript number", async () => {
  const body = '{"data":{"id":"gen-1","total_cost":1e999}}';
  expect(await lookUpWith((socket) => socket.write(formatResponse(200, JSON_TYPE, body)))).toBe(
    "upstream_bad_response",
  );
});

test.each([
  "",
  "null",
  "[]",
  "{}",
  '{"data":null}',
  '{"data":7}',
  "<html>no</html>",
  '{"data":{"total_cost":',
])("rejects a response of %j", async (body) => {
  expect(await lookUpWith((socket) => socket.write(formatResponse(200, JSON_TYPE, body)))).toBe(
    "upstream_bad_response",
  );
});

test.each([401, 402, 429, 500, 502, 503, 307])("rejects a response of status %i", async (status) => {
  const headers = status === 307 ? { ...JSON_TYPE, location: "/api/v1/elsewhere" } : JSON_TYPE;
  expect(await lookUpWith((socket) => socket.write(formatResponse(status, headers, "{}")))).toBe(
    "upstream_error",
  );
});

test("omits counts that a record lacks or does not state as numbers, and accepts a cost of 0", async () => {
  const data = { total_cost: 0, native_tokens_prompt: 3, tokens_completion: 4, native_tokens_cached: -1 };
  const strange = { native_tokens_reasoning: "5", provider_name: 7, model: "a\0b\uD83D" };
  expect(await lookUpWith(record({ ...data, ...strange }))).toEqual({
    costNanodollars: 0,
    tokens: {
      prompt_tokens: 3,
      completion_tokens: 4,
      cached_tokens: undefined,
      reasoning_tokens: undefined,
    },
    isByok: undefined,
    upstreamInferenceNanodollars: undefined,
    provider: undefined,
    model: "ab\uFFFD",
  });
});

test.each([
  [{ is_byok: true, upstream_inference_cost: 0.25 }, true, 250_000_000],
  [{ is_byok: false, upstream_inference_cost: null }, false, undefined],
  [{ is_byok: "true", upstream_inference_cost: 1e300 }, undefined, undefined],
])("reads the provider's charge for a BYOK request: %j", async (data, isByok, amount) => {
  expect(await lookUpWith(record({ total_cost: 0, ...data }))).toMatchObject({
    isByok,
    upstreamInferenceNanodollars: amount,
  });
});

test.each([1e300, 2 ** 53, 1e12 + 1, -1])("treats %d tokens as a missing count", async (tokens) => {
  const data = { total_cost: 0, native_tokens_prompt: tokens, native_tokens_reasoning: tokens };
  expect(await lookUpWith(record(data))).toMatchObject({
    tokens: { prompt_tokens: undefined, reasoning_tokens: undefined },
  });
});

test("aborts a response that is longer than any record", async () => {
  const upstream = await startScriptedUpstream((socket) => {
    socket.write(formatChunkedHead(JSON_TYPE));
    const flood = (): void => {
      while (!socket.destroyed && socket.write(formatChunk(" ".repeat(65_536))));
      if (!socket.destroyed) socket.once("drain", flood);
    };
    flood();
  });
  await expect(connectFinder(upstream.baseUrl)("gen-1")).rejects.toMatchObject({ code: "upstream_error" });
  await waitUntil(() => upstream.open.size === 0, "the connection to be closed");
});

test("times out a response that never ends after 10 s, and aborts it", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const abort = vi.fn<() => void>();
  const call = createIdleCall({ abort });
  const sinks: UpstreamSink[] = [];
  const upstream: Upstream = {
    send: (_, sink) => {
      sinks.push(sink);
      return call;
    },
    close: () => Promise.resolve(),
  };
  const lookUp = createGenerationFinder(upstream, AUTHORIZATION)("gen-1").catch((error: unknown) => error);
  sinks[0]?.onHead(readResponseHead(200, JSON_TYPE));
  for (let second = 0; second < 10; second++) {
    expect(abort).not.toHaveBeenCalled();
    sinks[0]?.onData(Buffer.from(" "));
    vi.advanceTimersByTime(1_000);
  }
  expect(await lookUp).toMatchObject({ code: "upstream_timeout" });
  expect(abort).toHaveBeenCalledTimes(1);
});

test("a closed upstream rejects requests with a GatewayError", async () => {
  const upstream = connectUpstream({
    baseUrl: "http://127.0.0.1:9/api/v1",
    connectTimeoutMs: 100,
    headersTimeoutMs: 100,
    idleTimeoutMs: 100,
    appUrl: undefined,
    appTitle: undefined,
  });
  await upstream.close();
  const fetched = fetchBuffered(upstream, { path: "/models", authorization: undefined, maxBytes: 10 });
  await expect(fetched).rejects.toBeInstanceOf(GatewayError);
});
