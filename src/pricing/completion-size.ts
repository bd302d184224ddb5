import { type JsonObject, readFields } from "../json-values.ts";
import { readCount } from "./json-fields.ts";

/** Maximum sizes that OpenRouter lists for a model or one of its endpoints; null: not listed. */
export interface CompletionLimits {
  readonly completionTokens: number | null;
  readonly contextTokens: number | null;
}

/** Inputs that, in addition to the request, determine the maximum length of a completion. */
interface CompletionFactors {
  /** Limits of every endpoint that may serve the request; undefined if not every endpoint is known. */
  readonly limits: readonly CompletionLimits[] | undefined;
  /** Whether the model may generate reasoning tokens. */
  readonly mayReason: boolean;
  /** Maximum number of tokens for one byte of the request. */
  readonly tokensPerByte: number;
  /** Size of `prediction` as JSON; 0 if absent. */
  readonly predictionBytes: number;
}

/** Some providers have a minimum for `max_tokens`. OpenRouter raises lower values to it, so up to 16 tokens may be billed. */
const LEAST_LIMIT_TOKENS = 16;
/** Minimum reasoning budget that OpenRouter sends to models that accept a reasoning budget. */
const LEAST_REASONING_TOKENS = 1024;

/**
 * Returns the maximum number of tokens of all `n` completions together; null if neither the request nor an endpoint sets a
 * limit.
 *
 * Providers differ in two points: which of `max_tokens` and `max_completion_tokens` applies, and whether the reasoning budget
 * is part of this limit or added to it. The reasoning budget can be as large as the limit. The function assumes the larger
 * result in both points. The tokens of a rejected `prediction` are billed as completion tokens.
 */
export function boundCompletionTokens(request: JsonObject, factors: CompletionFactors): number | null {
  // An invalid value sets no limit, and neither does 0, which some providers treat as unlimited.
  const requestedLimits = [request["max_tokens"], request["max_completion_tokens"]]
    .filter((limit) => limit != null)
    .map((limit) => readCount(limit) || Infinity);
  const longest = findLargestLimit(
    factors.limits,
    ({ completionTokens, contextTokens }) => completionTokens ?? contextTokens,
  );
  const context = findLargestLimit(factors.limits, ({ completionTokens, contextTokens }) =>
    contextTokens === null ? null : Math.max(contextTokens, completionTokens ?? 0),
  );
  const completion =
    requestedLimits.length > 0
      ? Math.min(Math.max(LEAST_LIMIT_TOKENS, ...requestedLimits), longest)
      : longest;
  const each = Math.min(completion + boundReasoningTokens(request, completion, factors), context);
  const completions = request["n"] == null ? 1 : (readCount(request["n"]) ?? NaN);
  const total = (each + factors.predictionBytes * factors.tokensPerByte) * completions;
  return Number.isSafeInteger(total) ? total : null;
}

function boundReasoningTokens(
  request: JsonObject,
  completionTokens: number,
  { mayReason }: CompletionFactors,
): number {
  const reasoning = request["reasoning"] ?? request["reasoning_effort"] ?? request["include_reasoning"];
  if (!mayReason && reasoning == null) return 0;
  const budget = readFields(request["reasoning"])["max_tokens"];
  // A budget that is not a number has no effect here.
  const budgetTokens = typeof budget === "number" ? budget : 0;
  return Math.max(LEAST_REASONING_TOKENS, completionTokens, budgetTokens);
}

/** Returns the largest limit; Infinity if the endpoints are not known, or if one of them lists no limit. */
function findLargestLimit(
  limits: readonly CompletionLimits[] | undefined,
  readLimit: (limits: CompletionLimits) => number | null,
): number {
  if (!limits || limits.length === 0) return Infinity;
  return Math.max(...limits.map((one) => readLimit(one) ?? Infinity));
}
