import type { CandidateModel } from "../../src/pricing/endpoints.ts";
import { type CostEstimate, estimateCost } from "../../src/pricing/estimate.ts";
import type { RequestBody } from "../../src/pricing/prompt-size.ts";

export type ListedModel = CandidateModel["model"];

/** A request as a client without spare blanks sends it. */
export function toRequestBody(fields: Readonly<Record<string, unknown>>): RequestBody {
  const bytes = Buffer.from(JSON.stringify(fields));
  return { fields: JSON.parse(bytes.toString()) as Record<string, unknown>, bytes };
}

/** The model's only endpoint is the one that the list of models shows. */
function toOnlyCandidate(model: ListedModel): CandidateModel {
  const endpoint = { tag: "test", pricing: model["pricing"], context_length: model["context_length"] };
  const { max_completion_tokens } = (model["top_provider"] ?? {}) as { max_completion_tokens?: unknown };
  return { model, endpoints: [{ ...endpoint, max_completion_tokens }] };
}

/** Estimates a request whose models each have one endpoint. */
export function estimateWithListedPrices(
  fields: Readonly<Record<string, unknown>>,
  models: readonly ListedModel[],
): CostEstimate {
  return estimateCost({ ...toRequestBody(fields), mayHitCache: false }, models.map(toOnlyCandidate));
}
