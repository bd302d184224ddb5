import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  bill,
  type Choices,
  type Endpoint,
  type Json,
  PRINTERS,
  TOKENIZERS,
} from "../support/reference-biller.ts";
import {
  boundWithEndpoints,
  nestSchema,
  estimateWithEndpoints,
  buildTool,
} from "../support/priced-requests.ts";

const price = fc.integer({ min: 0, max: 20_000 });
const endpoint: fc.Arbitrary<Endpoint> = fc.record({
  tag: fc.constantFrom("openai", "azure", "openai/priority", "groq"),
  prompt: price,
  completion: price,
  request: fc.constantFrom(0, 0, 5_000_000),
  cacheRead: price,
  cacheWrite: price,
  reasoning: price,
  long: fc.record({ from: fc.constantFrom(0, 500, 200_000), prompt: price, completion: price }),
  discountPercent: fc.constantFrom(0, 0, 25, 100),
  contextTokens: fc.constantFrom(8_192, 200_000),
  maxCompletionTokens: fc.constantFrom(100, 4_096, 16_384),
  supportsReasoning: fc.boolean(),
});
const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 100 }),
  fc.string({
    unit: fc.constantFrom("\ufdfa", "\ufb2c", "\u3316", "ΐ", "<", '"', "\\", "\n", "a"),
    maxLength: 200,
  }),
  fc.string({ unit: fc.constantFrom("translatesAutoresizingMask", "-=", "   "), maxLength: 100 }),
);
const schema = fc.oneof(
  fc.integer({ min: 0, max: 60 }).map(nestSchema),
  fc.jsonValue({ maxDepth: 5 }).map((value) => ({ type: "object", default: value })),
  text.map((description) => ({ type: "object", description })),
);
const count = fc.option(fc.nat(50_000), { nil: undefined });
const request: fc.Arbitrary<Json> = fc
  .record({
    messages: fc.array(fc.record({ role: fc.constantFrom("user", "system"), content: text }), {
      minLength: 1,
      maxLength: 4,
    }),
    max_tokens: count,
    max_completion_tokens: count,
    n: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
    reasoning: fc.option(fc.record({ max_tokens: fc.nat(50_000) }), { nil: undefined }),
    tools: fc.option(
      fc.array(
        schema.map((one) => buildTool(one)),
        { maxLength: 3 },
      ),
      { nil: undefined },
    ),
    functions: fc.option(fc.array(fc.record({ name: text, parameters: schema }), { maxLength: 2 }), {
      nil: undefined,
    }),
    prediction: fc.option(fc.record({ type: fc.constant("content"), content: text }), { nil: undefined }),
    provider: fc.option(
      fc.record({
        only: fc.option(fc.constantFrom(["openai"], ["openai/priority"], ["groq", "azure"]), {
          nil: undefined,
        }),
        max_price: fc.option(fc.record({ prompt: fc.nat(20), completion: fc.nat(20) }), { nil: undefined }),
      }),
      { nil: undefined },
    ),
  })
  // Removes undefined fields, as JSON does.
  .map((fields) => JSON.parse(JSON.stringify(fields)) as Json);
const choices: fc.Arbitrary<Choices> = fc.record({
  tokenizer: fc.constantFrom(...Object.values(TOKENIZERS)),
  printer: fc.constantFrom(...Object.values(PRINTERS)),
  endpoint: fc.nat(10),
  fill: fc.constantFrom(0, 0.5, 1),
  reasoningOnTop: fc.boolean(),
  largerLimit: fc.boolean(),
  cache: fc.constantFrom("none", "read", "write"),
});

test("a cost that the reference biller computes is within the estimate, and never above the bound for hard budgets", () => {
  let bounded = 0;
  fc.assert(
    fc.property(
      request,
      fc.array(endpoint, { minLength: 1, maxLength: 4 }),
      choices,
      (body, endpoints, made) => {
        const { lowestNanodollars, highestNanodollars } = estimateWithEndpoints(body, endpoints);
        const cost = bill(body, endpoints, made);
        if (cost === undefined) return;
        if (highestNanodollars !== null) bounded++;
        // The floating-point error of the biller is far less than a nanodollar.
        expect(cost).toBeLessThanOrEqual((highestNanodollars ?? Infinity) + 1e-3);
        expect(cost).toBeLessThanOrEqual((boundWithEndpoints(body, endpoints) ?? Infinity) + 1e-3);
        expect(cost).toBeGreaterThanOrEqual(lowestNanodollars - 1e-3);
      },
    ),
    { numRuns: 2_000 },
  );
  expect(bounded).toBeGreaterThan(500);
});
