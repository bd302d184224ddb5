import { isAscii } from "node:buffer";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { compileModel } from "../../src/pricing/compiled-prices.ts";
import type { CandidateModel } from "../../src/pricing/endpoints.ts";
import { estimateCost } from "../../src/pricing/estimate.ts";
import { CHAT_COST } from "../../src/pricing/rules/chat.ts";
import { boundPlainWorstCase, boundWorstCase } from "../../src/pricing/worst-case.ts";
import { toRequestBody } from "../support/cost-estimate.ts";

type Json = Readonly<Record<string, unknown>>;

const price = fc.oneof(
  fc.integer({ min: 0, max: 40_000 }).map((nanodollars) => (nanodollars / 1e9).toFixed(9)),
  // Prices that are not a whole number of nanodollars, with more digits than an attodollar, or unknown.
  fc.integer({ min: 0, max: 999_999_999 }).map((digits) => `0.00000${digits}`),
  fc.constantFrom("0.0000000000000000012345", "1e-7"),
);
const anyPrice = fc.oneof({ weight: 30, arbitrary: price }, { weight: 1, arbitrary: fc.constant("-1") });
const pricing = fc
  .record(
    {
      prompt: anyPrice,
      completion: anyPrice,
      request: anyPrice,
      input_cache_read: anyPrice,
      input_cache_write: anyPrice,
      input_cache_write_1h: anyPrice,
      internal_reasoning: anyPrice,
      discount: fc.constantFrom(0, 0.25, 1),
      overrides: fc.array(
        fc.record({
          min_prompt_tokens: fc.constantFrom(0, 1_500, 200_000),
          prompt: anyPrice,
          completion: anyPrice,
        }),
        { maxLength: 3 },
      ),
    },
    { requiredKeys: ["prompt", "completion"] },
  )
  .map((fields): Json => fields);
const limit = fc.option(fc.constantFrom(100, 4_096, 128_000), { nil: null, freq: 10 });
const endpoint = fc.record({
  tag: fc.constantFrom("openai", "openai/priority", "openai/flex", "groq"),
  pricing,
  context_length: limit,
  max_completion_tokens: limit,
  supported_parameters: fc.constantFrom(["max_tokens"], ["reasoning"]),
});
const candidate: fc.Arbitrary<CandidateModel> = fc
  .record({
    id: fc.constantFrom("a/b", "c/d", "e/f", "g/h", "perplexity/sonar"),
    pricing,
    endpoints: fc.oneof(
      { weight: 10, arbitrary: fc.array(endpoint, { minLength: 1, maxLength: 3 }) },
      { weight: 1, arbitrary: fc.constant([]) },
    ),
  })
  .map(({ id, pricing: listed, endpoints }) => ({
    model: { id, pricing: listed, context_length: 128_000, top_provider: { max_completion_tokens: 16_384 } },
    endpoints,
  }));
const text = fc.oneof(
  fc.string({ maxLength: 200 }),
  fc.string({ unit: "grapheme", maxLength: 50 }),
  fc.constantFrom("<a href='x'>&\"\\</a>", "\ufdfa", "\u0000"),
);
const content = fc.oneof(text, fc.array(fc.record({ type: fc.constant("text"), text }), { maxLength: 3 }));
const plainFields = {
  model: fc.constant("a/b"),
  messages: fc.array(fc.record({ role: fc.constantFrom("system", "user", "assistant", "tool"), content }), {
    minLength: 1,
    maxLength: 4,
  }),
  max_tokens: fc.option(
    fc.oneof({ weight: 10, arbitrary: fc.nat(50_000) }, { weight: 1, arbitrary: fc.constant(9e15) }),
    { nil: null },
  ),
  max_completion_tokens: fc.nat(50_000),
  stream: fc.boolean(),
  temperature: fc.constant(0.5),
  metadata: fc.constantFrom({}, { ttl: "x" }),
};
const otherFields = {
  n: fc.nat(4),
  reasoning: fc.record({ max_tokens: fc.nat(50_000) }),
  prediction: fc.record({ type: fc.constant("content"), content: text }),
  service_tier: fc.constantFrom("auto", "priority", "flex", "x"),
  provider: fc.constantFrom(
    { only: ["openai"] },
    { only: ["x/y"] },
    { max_price: { prompt: 20, completion: 20, request: 1 } },
  ),
  tools: fc.constantFrom(
    [],
    [{ type: "function", function: { name: "f", parameters: { $ref: "#" } } }],
    [{ type: "function", function: { name: "f", parameters: { type: "object" } } }],
  ),
  cache_control: fc.constantFrom({ type: "ephemeral" }, { type: "ephemeral", ttl: "1h" }),
  plugins: fc.constantFrom([], [{ id: "web" }]),
  of_tomorrow: fc.constant(1),
};
const requiredKeys: ["model", "messages"] = ["model", "messages"];
const request = fc.oneof(
  fc.record(plainFields, { requiredKeys }),
  fc.record({ ...plainFields, ...otherFields }, { requiredKeys }),
);

const asciiRequest = request.map(
  (fields) => JSON.parse(JSON.stringify(fields).replaceAll(/[^ -~]/g, "x")) as Json,
);

/** Returns the bound of a chat completion, and that of its dry run. */
function compare(fields: Json, candidates: readonly CandidateModel[]) {
  const body = toRequestBody(fields);
  const { highestNanodollars } = estimateCost({ ...body, mayHitCache: false }, candidates);
  const models = candidates.map((one) => compileModel(one, "text", body.fields));
  return {
    body,
    models,
    highest: highestNanodollars,
    general: boundWorstCase(body, CHAT_COST, { models, unbounded: [] }),
  };
}

test("the bound of a chat completion is that of its dry run, rounded up, if the request is ASCII", () => {
  let bounded = 0;
  fc.assert(
    fc.property(asciiRequest, fc.array(candidate, { minLength: 1, maxLength: 3 }), (fields, candidates) => {
      const { body, highest, general } = compare(fields, candidates);
      // The dry run counts each byte of a body as one that is not ASCII if any is.
      if (!isAscii(body.bytes) || body.bytes.includes("\\u")) return;
      expect(general.nanodollars === null).toBe(highest === null);
      expect(general.unbounded.length > 0).toBe(highest === null);
      if (highest === null || general.nanodollars === null) return;
      expect(general.nanodollars).toBeGreaterThanOrEqual(highest);
      bounded++;
      // Three amounts are rounded up.
      expect(general.nanodollars).toBeLessThanOrEqual(highest * (1 + 1e-14) + 3);
    }),
    { numRuns: 1_500 },
  );
  expect(bounded).toBeGreaterThan(100);
});

test("the bound of a plain request is the general bound", () => {
  let plain = 0;
  const wellKnown = fc.record(plainFields, { requiredKeys });
  fc.assert(
    fc.property(
      fc.oneof(wellKnown, request),
      fc.array(candidate, { minLength: 1, maxLength: 2 }),
      (fields, candidates) => {
        const body = toRequestBody(fields);
        const models = candidates.map((one) => compileModel(one, "text"));
        const found = boundPlainWorstCase(body, CHAT_COST, models);
        if (!found) return;
        plain++;
        expect(found).toEqual(boundWorstCase(body, CHAT_COST, { models, unbounded: [] }));
      },
    ),
    { numRuns: 1_500 },
  );
  expect(plain).toBeGreaterThan(50);
});
