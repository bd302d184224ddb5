import { expect, test } from "vitest";
import { toRequestBody } from "../support/cost-estimate.ts";
import { bill, type Endpoint, type Json, PRINTERS, TOKENIZERS } from "../support/reference-biller.ts";
import {
  boundWithEndpoints,
  nestSchema,
  estimateWithEndpoints,
  PLAIN_ENDPOINT,
  buildRequest,
  buildTool,
} from "../support/priced-requests.ts";

/** Returns the costs that the reference biller computes for every tokenizer, printer and endpoint. */
function listCosts(request: Json, endpoints: readonly Endpoint[]): number[] {
  return Object.values(TOKENIZERS).flatMap((tokenizer) =>
    Object.values(PRINTERS).flatMap((printer) =>
      endpoints.flatMap((_, endpoint) =>
        [true, false].flatMap((isHigh) => {
          const extremes = {
            fill: isHigh ? 1 : 0,
            reasoningOnTop: isHigh,
            largerLimit: isHigh,
            cache: isHigh ? "write" : "read",
          } as const;
          return bill(request, endpoints, { tokenizer, printer, endpoint, ...extremes }) ?? [];
        }),
      ),
    ),
  );
}

/** Returns an estimate, and whether any cost of the reference biller is above it or its bound for hard budgets, or below it. */
function compareCosts(request: Json, endpoints: readonly Endpoint[] = [PLAIN_ENDPOINT]) {
  const { lowestNanodollars, highestNanodollars, notes } = estimateWithEndpoints(request, endpoints);
  const all = listCosts(request, endpoints);
  const bounds = [highestNanodollars ?? -1, boundWithEndpoints(request, endpoints) ?? -1];
  const isAbove = Math.max(...all) > Math.min(...bounds);
  return {
    highest: highestNanodollars ?? Infinity,
    notes,
    isAbove,
    isBelow: Math.min(...all) < lowestNanodollars,
  };
}

const WITHIN = { isAbove: false, isBelow: false };

const PRIORITY = {
  ...PLAIN_ENDPOINT,
  tag: "openai/priority",
  prompt: 248,
  completion: 990,
  reasoning: 990,
  cacheWrite: 248,
  long: { from: 1_000_000, prompt: 248, completion: 990 },
};
const REASONING = { ...PLAIN_ENDPOINT, supportsReasoning: true, reasoning: 900, maxCompletionTokens: 64_000 };

test.each([
  ["U+FDFA, which normalization replaces by 18 characters", buildRequest("\ufdfa".repeat(2_000))],
  ["U+FB2C, which normalization decomposes", buildRequest("\ufb2c".repeat(2_000))],
  ["U+3316, which normalization replaces by six characters", buildRequest("\u3316".repeat(2_000))],
  ["text of other scripts", buildRequest("Привет, 世界 🎉 ﷺ".repeat(300))],
  ["XML that a template escapes", buildRequest("<a href='x'>&\"\\</a>".repeat(300))],
  [
    "functions",
    buildRequest("Hi", { functions: [{ name: "f", description: "d".repeat(5_000), parameters: {} }] }),
  ],
  ["a deep tool schema", buildRequest("Hi", { tools: [buildTool(nestSchema(80))] })],
  [
    "a deep response format",
    buildRequest("Hi", {
      response_format: { type: "json_schema", json_schema: { name: "x", schema: nestSchema(60) } },
    }),
  ],
  [
    "a tool described in many lines",
    buildRequest("Hi", {
      tools: [buildTool({ type: "object", properties: { a: { description: "x\n".repeat(500) } } })],
    }),
  ],
  [
    "a tool description of characters that become entities",
    buildRequest("Hi", { tools: [buildTool({ type: "object" }, "<>&\"'".repeat(500))] }),
  ],
  ["a prediction", buildRequest("Hi", { prediction: { type: "content", content: "word ".repeat(4_000) } })],
  [
    "a prediction that is not ASCII",
    buildRequest("Hi", { prediction: { type: "content", content: "\ufdfa".repeat(500) } }),
  ],
  ["the larger of two limits", buildRequest("Hi", { max_completion_tokens: 5_000 })],
  ["several choices", buildRequest("Hi", { n: 5, max_tokens: 500 })],
  ["an unlimited completion", buildRequest("Hi", { max_tokens: null })],
  [
    "a tool call with deep arguments",
    {
      ...buildRequest("Hi"),
      messages: [
        {
          role: "assistant",
          content: null,
          tool_calls: [
            {
              id: "1",
              type: "function",
              function: { name: "f", arguments: JSON.stringify(nestSchema(60)) },
            },
          ],
        },
      ],
    },
  ],
])("the estimate bounds the cost for every tokenizer and template: %s", (_, request) => {
  expect(compareCosts(request)).toMatchObject(WITHIN);
});

test.each([
  ["reasoning.max_tokens above max_tokens", buildRequest("Hi", { reasoning: { max_tokens: 30_000 } })],
  ["reasoning.effort", buildRequest("Hi", { reasoning: { effort: "high" }, max_tokens: 4_000 })],
  ["no reasoning field", buildRequest("Hi")],
])("the estimate bounds reasoning in addition to max_tokens with %s", (_, request) => {
  expect(compareCosts(request, [REASONING])).toMatchObject(WITHIN);
});

test.each([
  ["provider.only with a priority tier", buildRequest("Hi", { provider: { only: ["openai/priority"] } })],
  [":nitro", buildRequest("Hi", { model: "test/model:nitro" })],
  ["provider.order", buildRequest("Hi", { provider: { order: ["openai/priority"] } })],
  ["provider.sort", buildRequest("Hi", { provider: { sort: "throughput" } })],
  [
    "provider.quantizations and ignore",
    buildRequest("Hi", { provider: { quantizations: ["fp8"], ignore: ["azure"] } }),
  ],
  ["service_tier priority", buildRequest("Hi", { service_tier: "priority" })],
  ["service_tier fast", buildRequest("Hi", { service_tier: "fast" })],
])("the most expensive listed endpoint bounds a request with %s", (_, request) => {
  const compared = compareCosts(request, [PLAIN_ENDPOINT, PRIORITY]);
  expect(compared).toMatchObject(WITHIN);
  expect(compared.highest).toBeGreaterThan(compareCosts(buildRequest("Hi")).highest);
});

test("provider.max_price excludes more expensive endpoints", () => {
  const cheap = buildRequest("Hi", { provider: { max_price: { prompt: "0.2", completion: 0.7 } } });
  const both = compareCosts(cheap, [PLAIN_ENDPOINT, PRIORITY]);
  expect(both).toEqual({ ...compareCosts(cheap), ...WITHIN });
  expect(both.highest).toBeLessThan(compareCosts(buildRequest("Hi"), [PLAIN_ENDPOINT, PRIORITY]).highest);
});

test("provider.max_price does not exclude the endpoints of the requested service tier", () => {
  const provider = { max_price: { prompt: "0.2", completion: 0.7 } };
  const limited = compareCosts(buildRequest("Hi", { service_tier: "priority", provider }), [
    PLAIN_ENDPOINT,
    PRIORITY,
  ]);
  const flex = compareCosts(buildRequest("Hi", { service_tier: "flex", provider }), [
    PLAIN_ENDPOINT,
    PRIORITY,
    { ...PLAIN_ENDPOINT, tag: "openai/flex" },
  ]);
  expect([limited, flex]).toMatchObject([WITHIN, WITHIN]);
  expect(limited.highest).toBeGreaterThan(1.5 * flex.highest);
});

test("provider.max_price does not exclude an endpoint whose discounted prices are below it", () => {
  const long = { from: 1_000_000, prompt: 400, completion: 1_200 };
  const discounted = { ...PRIORITY, tag: "b", prompt: 400, completion: 1_200, long, discountPercent: 50 };
  const limited = (prompt: string, completion: string): Json =>
    buildRequest("Hi", { provider: { max_price: { prompt, completion } } });
  const below = compareCosts(limited("0.3", "0.7"), [PLAIN_ENDPOINT, discounted]);
  expect(below).toEqual({ ...compareCosts(limited("9.9", "9.9"), [PLAIN_ENDPOINT, discounted]), ...WITHIN });
  expect(compareCosts(limited("0.19", "0.7"), [PLAIN_ENDPOINT, discounted]).highest).toBeLessThan(
    below.highest,
  );
});

test("nested definitions are counted for each reference, and the cost is unbounded for recursive or unknown references", () => {
  const definitions = Object.fromEntries(
    Array.from({ length: 6 }, (_, level) => [
      `d${level}`,
      {
        type: "object",
        properties: { a: { $ref: `#/$defs/d${level + 1}` }, b: { $ref: `#/$defs/d${level + 1}` } },
      },
    ]),
  );
  const schema = {
    $ref: "#/$defs/d0",
    $defs: { ...definitions, d6: { type: "string", description: "x".repeat(50) } },
  };
  const compared = compareCosts(buildRequest("Hi", { tools: [buildTool(schema)] }));
  expect(compared).toMatchObject(WITHIN);
  expect(compared.highest).toBeGreaterThan(64 * 50 * PLAIN_ENDPOINT.prompt);
  for (const $ref of ["#", "#/$defs/none", "#anchor", "https://example.com/schema"]) {
    const recursive = estimateWithEndpoints(
      buildRequest("Hi", { tools: [buildTool({ type: "object", properties: { a: { $ref } } })] }),
      [PLAIN_ENDPOINT],
    );
    expect(recursive.highestNanodollars).toBeNull();
    expect(recursive.notes.join("\n")).toMatch(/\$ref/);
  }
});

test("the cost is unbounded for definitions whose size doubles at each of 200 levels", () => {
  const $defs = Object.fromEntries(
    Array.from({ length: 200 }, (_, level) => [
      `d${level}`,
      { a: { $ref: `#/$defs/d${level + 1}` }, b: { $ref: `#/$defs/d${level + 1}` } },
    ]),
  );
  const schema = { $ref: "#/$defs/d0", $defs: { ...$defs, d200: {} } };
  expect(
    estimateWithEndpoints(buildRequest("Hi", { tools: [buildTool(schema)] }), [PLAIN_ENDPOINT])
      .highestNanodollars,
  ).toBeNull();
});

test("the highest cost of an ASCII request is at most that of its bytes, the template tokens and max_tokens", () => {
  const request = buildRequest("What is the capital of France?", { max_tokens: 200 });
  const most =
    (toRequestBody(request).bytes.length + 1024 + 16) * PLAIN_ENDPOINT.prompt +
    200 * PLAIN_ENDPOINT.completion;
  expect(compareCosts(request)).toMatchObject(WITHIN);
  expect(compareCosts(request).highest).toBeLessThanOrEqual(most);
});

test("the lowest cost is 0 with the response cache, and uses the cache read price without it", () => {
  const request = buildRequest("word ".repeat(5_000));
  const { lowestNanodollars } = estimateWithEndpoints(request, [PLAIN_ENDPOINT]);
  expect(lowestNanodollars).toBeGreaterThan(0);
  expect(estimateWithEndpoints(request, [PLAIN_ENDPOINT], true).lowestNanodollars).toBe(0);
  expect(lowestNanodollars).toBe(
    estimateWithEndpoints(request, [{ ...PLAIN_ENDPOINT, prompt: 75, cacheRead: 75 }]).lowestNanodollars,
  );
});
