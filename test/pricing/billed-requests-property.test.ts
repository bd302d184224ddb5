import * as fc from "fast-check";
import { expect, test } from "vitest";
import { RELAYED_ENDPOINTS } from "../../src/endpoints/relayed-endpoints.ts";
import { type CompiledModel, compileModel } from "../../src/pricing/compiled-prices.ts";
import { boundPlainWorstCase, boundWorstCase } from "../../src/pricing/worst-case.ts";
import { computeCosts, type Generation } from "../../tools/simulator/billing.ts";
import { countReplyChars, makeReply, NO_REPLY } from "../../tools/simulator/content.ts";
import { PLAIN } from "../../tools/simulator/behaviour.ts";
import { findEndpoint } from "../../tools/simulator/endpoints.ts";
import { formatModelList } from "../../tools/simulator/catalog.ts";
import { formatEndpoints, routeModel } from "../../tools/simulator/model-endpoints.ts";
import { resolveModel } from "../../tools/simulator/models.ts";
import { toRequestBody } from "../support/cost-estimate.ts";

type Json = Readonly<Record<string, unknown>>;

const LISTED = JSON.parse(formatModelList(new URLSearchParams({ output_modalities: "all" }))) as {
  data: (Json & { id: string })[];
};

/** Compiles the simulator's prices of a model. */
function compile(id: string, output: "text" | "embeddings" | "rerank", fields: Json): CompiledModel {
  const model = LISTED.data.find((one) => one.id === id);
  if (!model) throw new Error(`${id} is not listed`);
  const { data } = JSON.parse(formatEndpoints(id) ?? "{}") as { data: { endpoints: Json[] } };
  return compileModel({ model, endpoints: data.endpoints }, output, fields);
}

/** Returns the simulator's charge in nanodollars. The simulator ignores limits of the completion, but providers do not. */
function bill(path: string, body: Json, limitTokens: number): number {
  const endpoint = findEndpoint(`/${path}`);
  const received = endpoint?.read(body);
  const model = resolveModel(received?.model ?? "");
  if (!endpoint || !received || !model) throw new Error(`${path} does not serve ${String(body["model"])}`);
  const reply = endpoint.stream ? makeReply(received, received.wantsReasoning, PLAIN.common) : NO_REPLY;
  const { promptTokens, searchUnits } = received;
  const generation = {
    model: routeModel(model, body),
    promptTokens,
    searchUnits,
    reasoningChars: 0,
    isByok: false,
  };
  const chars = Math.min(countReplyChars(reply), 4 * limitTokens);
  return computeCosts(generation as Generation, chars).nanodollars;
}

const text = fc.oneof(
  fc.string({ maxLength: 300 }),
  fc.string({ unit: "grapheme", maxLength: 100 }),
  fc.string({ unit: fc.constantFrom("\ufdfa", "<", '"', "\\", "\n", "\u0007", "a"), maxLength: 200 }),
);
const limit = fc.integer({ min: 16, max: 4_000 });
const cache = fc.option(fc.constantFrom({ type: "ephemeral" }, { type: "ephemeral", ttl: "1h" }), {
  nil: undefined,
});
const schema = fc
  .jsonValue({ maxDepth: 3 })
  .map((value) => ({ type: "object", properties: {}, default: value }));
const effort = fc.option(fc.constantFrom({ effort: "high" }, { max_tokens: 2_000 }), { nil: undefined });
const model = fc.constantFrom(
  "openai/gpt-4o-mini",
  "openai/gpt-5-mini",
  "qwen/qwen3-32b",
  "anthropic/claude-sonnet-4.5",
);
const provider = fc.option(fc.constantFrom({ order: ["cerebras"] }, { only: ["openai"] }), {
  nil: undefined,
});

const REQUESTS: Readonly<Record<string, fc.Arbitrary<Json>>> = {
  "chat/completions": fc.record({
    model,
    messages: fc.array(
      fc.record({
        role: fc.constantFrom("user", "system"),
        content: fc.oneof(
          text,
          fc.array(fc.record({ type: fc.constant("text"), text, cache_control: cache })),
        ),
      }),
      { minLength: 1, maxLength: 4 },
    ),
    max_tokens: limit,
    n: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
    reasoning: effort,
    prediction: fc.option(fc.record({ type: fc.constant("content"), content: text }), { nil: undefined }),
    tools: fc.option(
      fc.array(
        schema.map((parameters) => ({ type: "function", function: { name: "f", parameters } })),
        { maxLength: 2 },
      ),
      { nil: undefined },
    ),
    provider,
  }),
  completions: fc.record({
    model,
    prompt: fc.oneof(text, fc.array(text, { minLength: 1, maxLength: 4 })),
    max_tokens: limit,
    n: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
    best_of: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
    suffix: fc.option(text, { nil: undefined }),
    provider,
  }),
  responses: fc.record({
    model,
    instructions: fc.option(text, { nil: undefined }),
    input: fc.oneof(
      text,
      fc.array(
        fc.oneof(
          fc.record({ role: fc.constant("user"), content: text }),
          fc.record({
            type: fc.constant("message"),
            role: fc.constant("user"),
            content: fc.array(fc.record({ type: fc.constant("input_text"), text })),
          }),
          fc.record({ type: fc.constant("function_call_output"), call_id: fc.constant("1"), output: text }),
        ),
        { minLength: 1, maxLength: 4 },
      ),
    ),
    max_output_tokens: limit,
    reasoning: effort,
    tools: fc.option(
      fc.array(
        schema.map((parameters) => ({ type: "function", name: "f", parameters })),
        { maxLength: 2 },
      ),
      { nil: undefined },
    ),
  }),
  messages: fc.record({
    model,
    system: fc.option(
      fc.oneof(text, fc.array(fc.record({ type: fc.constant("text"), text, cache_control: cache }))),
      { nil: undefined },
    ),
    messages: fc.array(
      fc.record({
        role: fc.constant("user"),
        content: fc.oneof(
          text,
          fc.array(
            fc.record({ type: fc.constant("tool_result"), tool_use_id: fc.constant("1"), content: text }),
          ),
        ),
      }),
      { minLength: 1, maxLength: 4 },
    ),
    max_tokens: limit,
    thinking: fc.option(fc.constantFrom({ type: "enabled", budget_tokens: 1_024 }, { type: "disabled" }), {
      nil: undefined,
    }),
    tools: fc.option(
      fc.array(
        schema.map((input) => ({ name: "f", input_schema: input })),
        { maxLength: 2 },
      ),
      { nil: undefined },
    ),
  }),
  embeddings: fc.record({
    model: fc.constantFrom("openai/text-embedding-3-small", "qwen/qwen3-embedding-8b"),
    input: fc.oneof(
      text.map((one) => `${one}.`),
      fc.array(text, { minLength: 1, maxLength: 20 }),
      fc.array(fc.nat(200_000), { minLength: 1, maxLength: 50 }),
      fc.array(fc.array(fc.nat(200_000), { minLength: 1, maxLength: 50 }), { minLength: 1, maxLength: 5 }),
      fc.array(fc.record({ content: fc.array(fc.record({ type: fc.constant("text"), text })) }), {
        minLength: 1,
        maxLength: 3,
      }),
    ),
    dimensions: fc.constantFrom(256, undefined),
  }),
  rerank: fc.record({
    model: fc.constantFrom("voyageai/rerank-2.5", "cohere/rerank-v3.5"),
    query: text,
    documents: fc.oneof(
      fc.array(fc.oneof(text, fc.record({ text })), { minLength: 1, maxLength: 10 }),
      fc.integer({ min: 99, max: 305 }).map((count) => Array.from({ length: count }, () => "x")),
    ),
    top_n: fc.constantFrom(1, undefined),
  }),
};

test.each(RELAYED_ENDPOINTS)("the simulator never bills more than the bound for /$path", (endpoint) => {
  const { path, cost } = endpoint;
  const requests = REQUESTS[path];
  if (!requests) throw new Error(`${path} has no requests`);
  fc.assert(
    fc.property(requests, (fields) => {
      const body = toRequestBody(fields);
      const name = String(fields["model"]);
      const models = [compile(name, cost.output, body.fields)];
      const bound = boundWorstCase(body, cost, { models, unbounded: [] });
      expect(bound.unbounded).toEqual([]);
      const plain = boundPlainWorstCase(body, cost, [compile(name, cost.output, {})]);
      // A request with a provider is not plain.
      expect(plain ?? bound).toEqual(bound);
      const limitTokens = Number(fields["max_tokens"] ?? fields["max_output_tokens"] ?? 0);
      expect(bill(path, body.fields, limitTokens)).toBeLessThanOrEqual(bound.nanodollars ?? -1);
    }),
    { numRuns: 500 },
  );
});
