import type { CandidateModel } from "../../src/pricing/endpoints.ts";
import { type CostEstimate, estimateCost } from "../../src/pricing/estimate.ts";
import type { RequestBody } from "../../src/pricing/prompt-size.ts";

export type ListedModel = CandidateModel["model"];

/** Builds a request body without optional whitespace. */
export function toRequestBody(fields: Readonly<Record<string, unknown>>): RequestBody {
  const bytes = Buffer.from(JSON.stringify(fields));
  return { fields: JSON.parse(bytes.toString()) as Record<string, unknown>, bytes };
}

/** Converts a listed model to a candidate with one endpoint, which has the prices of the model list. */
function toOnlyCandidate(model: ListedModel): CandidateModel {
  const endpoint = { tag: "test", pricing: model["pricing"], context_length: model["context_length"] };
  const { max_completion_tokens } = (model["top_provider"] ?? {}) as { max_completion_tokens?: unknown };
  return { model, endpoints: [{ ...endpoint, max_completion_tokens }] };
}

/** Estimates the cost of a request whose models have one endpoint each. */
export function estimateWithListedPrices(
  fields: Readonly<Record<string, unknown>>,
  models: readonly ListedModel[],
): CostEstimate {
  return estimateCost({ ...toRequestBody(fields), mayHitCache: false }, models.map(toOnlyCandidate));
}
