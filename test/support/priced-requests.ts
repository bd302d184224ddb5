import { compileModel } from "../../src/pricing/compiled-prices.ts";
import { type CostEstimate, estimateCost } from "../../src/pricing/estimate.ts";
import { CHAT_COST } from "../../src/pricing/rules/chat.ts";
import { boundWorstCase } from "../../src/pricing/worst-case.ts";
import { toRequestBody } from "./cost-estimate.ts";
import type { Endpoint, Json } from "./reference-biller.ts";

/** An endpoint with the prices of gpt-4o-mini. */
export const PLAIN_ENDPOINT: Endpoint = {
  tag: "openai",
  prompt: 150,
  completion: 600,
  request: 0,
  cacheRead: 75,
  cacheWrite: 150,
  reasoning: 600,
  long: { from: 1_000_000, prompt: 150, completion: 600 },
  discountPercent: 0,
  contextTokens: 128_000,
  maxCompletionTokens: 16_384,
  supportsReasoning: false,
};

const formatUsd = (nanodollars: number): string => (nanodollars / 1e9).toFixed(9);

/** Converts an endpoint to the format of OpenRouter's list. */
export function toListedEndpoint(endpoint: Endpoint): Json {
  const {
    long,
    longCacheWrite,
    contextTokens,
    maxCompletionTokens,
    supportsReasoning,
    tag,
    discountPercent,
  } = endpoint;
  return {
    tag,
    context_length: contextTokens,
    max_completion_tokens: maxCompletionTokens,
    supported_parameters: supportsReasoning ? ["max_tokens", "reasoning"] : ["max_tokens"],
    pricing: {
      prompt: formatUsd(endpoint.prompt),
      completion: formatUsd(endpoint.completion),
      request: formatUsd(endpoint.request),
      input_cache_read: formatUsd(endpoint.cacheRead),
      input_cache_write: formatUsd(endpoint.cacheWrite),
      ...(longCacheWrite !== undefined && { input_cache_write_1h: formatUsd(longCacheWrite) }),
      internal_reasoning: formatUsd(endpoint.reasoning),
      discount: discountPercent / 100,
      overrides: [
        {
          min_prompt_tokens: long.from,
          prompt: formatUsd(long.prompt),
          completion: formatUsd(long.completion),
        },
      ],
    },
  };
}

/** Estimates the cost of a request whose model has these endpoints. */
export function estimateWithEndpoints(
  request: Json,
  endpoints: readonly Endpoint[],
  mayHitCache = false,
): CostEstimate {
  const all = endpoints.map(toListedEndpoint);
  const model = { id: "test/model", ...all[0], top_provider: all[0] };
  return estimateCost({ ...toRequestBody(request), mayHitCache }, [{ model, endpoints: all }]);
}

/** Returns the highest cost that hard budgets reserve for a request whose model has these endpoints; null: unbounded. */
export function boundWithEndpoints(request: Json, endpoints: readonly Endpoint[]): number | null {
  const all = endpoints.map(toListedEndpoint);
  const body = toRequestBody(request);
  const model = { id: "test/model", ...all[0], top_provider: all[0] };
  const models = [compileModel({ model, endpoints: all }, "text", body.fields)];
  return boundWorstCase(body, CHAT_COST, { models, unbounded: [] }).nanodollars;
}

/** Builds a small request. */
export const buildRequest = (content: string, fields: Json = {}): Json => ({
  model: "test/model",
  messages: [{ role: "user", content }],
  max_tokens: 16,
  ...fields,
});

/** Creates a schema of nested objects. @param depth number of the nested objects. */
export function nestSchema(depth: number): Json {
  let schema: Json = { type: "string" };
  for (let level = 0; level < depth; level++) schema = { type: "object", properties: { a: schema } };
  return schema;
}

/** Builds a tool with these parameters. */
export const buildTool = (parameters: Json, description = "does"): Json => ({
  type: "function",
  function: { name: "f", description, parameters },
});
