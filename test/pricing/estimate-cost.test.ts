import { expect, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import type { ModelRequest } from "../../src/request/model-request.ts";
import { readChatRequest } from "../support/read-chat-request.ts";
import type { ListedModel } from "../support/cost-estimate.ts";
import { boundPromptSize } from "../../src/pricing/prompt-size.ts";
import { measureText } from "../../src/pricing/text-size.ts";
import { boundRenderedTokens } from "../../src/pricing/rendered-size.ts";
import { estimateCost } from "../../src/pricing/estimate.ts";
import { toRequestBody } from "../support/cost-estimate.ts";
import { measureCpuMs, scaleToMachine, canParseJson } from "../support/cpu.ts";
import { HOSTILE_REQUESTS } from "../support/hostile-priced-requests.ts";

const TIMES_JSON_PARSE = 2;
const ALLOWANCE_MS = 50;
const ENDPOINTS = Array.from({ length: 20 }, (_, index) => ({ tag: `p${index}/fp8`, context_length: 1_000 }));
const CANDIDATES = Array.from({ length: 16 }, (_, index) => {
  const model: ListedModel = {
    id: `a/${index}`,
    context_length: 1_000,
    pricing: { prompt: "0.1", completion: "0.1" },
  };
  return { model, endpoints: ENDPOINTS };
});

function readIfValid(bytes: Buffer): ModelRequest | undefined {
  try {
    return readChatRequest(bytes);
  } catch (error) {
    if (error instanceof GatewayError) return undefined;
    throw error;
  }
}

test.each(HOSTILE_REQUESTS)(
  "estimates %s within 50 ms plus twice the time of JSON.parse",
  { timeout: 240_000, retry: 2 },
  (_, make) => {
    const chat = readIfValid(Buffer.from(make()));
    if (!chat) return;
    const { fields, body } = chat;
    const parsing = measureCpuMs(() => canParseJson(body.toString()));
    const bound = TIMES_JSON_PARSE * parsing + scaleToMachine(ALLOWANCE_MS);
    const estimating = measureCpuMs(
      () => estimateCost({ fields, bytes: body, mayHitCache: false }, CANDIDATES),
      bound,
    );
    expect(estimating).toBeLessThanOrEqual(bound);
  },
);

test("the token bound of a tool result is at least the bound of its parsed value", () => {
  const values = [
    { a: { b: [1, 1e20, -1.5e-300, null, true] } },
    ["a\nb\u2028c", { "k\n": '"\\<>' }, "\ud800", "é🌊"],
    [[[[[["deep"]]]]]],
    { n: Array.from({ length: 50 }, (_, index) => ({ [`k${index}`]: index })) },
  ];
  for (const value of values) {
    const spellings = [
      JSON.stringify(value),
      JSON.stringify(value).replaceAll("100000000000000000000", "1e20"),
    ];
    for (const content of spellings) {
      const tool = boundPromptSize(toRequestBody({ messages: [{ role: "tool", content }] }));
      const user = boundPromptSize(toRequestBody({ messages: [{ role: "user", content }] }));
      const rendered = ((tool.maxTokens ?? NaN) - (user.maxTokens ?? NaN)) / tool.tokensPerByte;
      expect(rendered).toBeGreaterThanOrEqual(boundRenderedTokens(value) ?? NaN);
    }
  }
});

test("the highest cost is null if a provider slug is not a string, or there are more than 256 slugs", () => {
  for (const only of [[{ toString: 1 }], Array.from({ length: 257 }, () => "p0")]) {
    const request = { messages: [{ role: "user", content: "hi" }], max_tokens: 1, provider: { only } };
    const estimate = estimateCost({ ...toRequestBody(request), mayHitCache: false }, CANDIDATES.slice(0, 1));
    expect(estimate.highestNanodollars).toBeNull();
    expect(estimate.notes.join("\n")).toContain("provider.only names");
  }
});

test.each(["a", "<>&'", '\\"', "\\\\", "\\n", "\\u0041", "\\\\u", "é", "\ufdfa"])(
  "the size bound of a long text of %j is at least the sum of the bounds of its parts",
  (unit) => {
    const part = unit.repeat(1_000);
    const long = measureText(Buffer.from(part.repeat(Math.ceil(4_000_001 / Buffer.byteLength(part)))));
    const short = measureText(Buffer.from(part));
    expect(long.escapingBytes).toBeGreaterThanOrEqual(
      short.escapingBytes * (4_000_000 / Buffer.byteLength(part)),
    );
    expect(long.tokensPerByte).toBeGreaterThanOrEqual(short.tokensPerByte);
  },
);

test("no bound is computed for a schema whose strings or references exceed the budget", () => {
  const long = "x".repeat(4_000_001);
  expect(boundRenderedTokens({ description: long })).toBeUndefined();
  expect(boundRenderedTokens({ [long]: 1 })).toBeUndefined();
  expect(
    boundRenderedTokens(Array.from({ length: 16_001 }, (_, index) => `${index}${"x".repeat(249)}`)),
  ).toBeUndefined();
  expect(boundRenderedTokens({ $ref: `#/${"a".repeat(250_000)}` }, {})).toBeUndefined();
});
