import { type JsonObject, readFields } from "../json-values.ts";
import { readCount } from "./json-fields.ts";

/** Maximum sizes that a model or one of its endpoints states; null: not stated. */
export interface CompletionLimits {
  readonly completionTokens: number | null;
  readonly contextTokens: number | null;
}

/** Factors, besides the request, of the maximum length of a completion. */
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

/** Some providers have a minimum for `max_tokens`. OpenRouter raises a lower value to it, so up to 16 tokens may be billed. */
const LEAST_LIMIT_TOKENS = 16;
/** Minimum reasoning budget that OpenRouter sends to models with such a budget. */
const LEAST_REASONING_TOKENS = 1024;

/**
 * Returns the maximum number of tokens of all `n` completions together; null if neither the request nor an endpoint sets a
 * limit.
 *
 * Providers differ in two points, so the function assumes the larger result of each: which of `max_tokens` and
 * `max_completion_tokens` applies, and whether the reasoning budget, which can be the whole limit, is part of the limit or
 * added to it. The tokens of a rejected `prediction` are billed as completion tokens.
 */
export function boundCompletionTokens(request: JsonObject, use: CompletionFactors): number | null {
  // An invalid value sets no limit, and neither does 0, which some providers treat as unlimited.
  const asked = [request["max_tokens"], request["max_completion_tokens"]]
    .filter((limit) => limit != null)
    .map((limit) => readCount(limit) || Infinity);
  const longest = findLargestLimit(
    use.limits,
    ({ completionTokens, contextTokens }) => completionTokens ?? contextTokens,
  );
  const room = findLargestLimit(use.limits, ({ completionTokens, contextTokens }) =>
    contextTokens === null ? null : Math.max(contextTokens, completionTokens ?? 0),
  );
  const completion = asked.length > 0 ? Math.min(Math.max(LEAST_LIMIT_TOKENS, ...asked), longest) : longest;
  const each = Math.min(completion + boundReasoningTokens(request, completion, use), room);
  const completions = request["n"] == null ? 1 : (readCount(request["n"]) ?? NaN);
  const total = (each + use.predictionBytes * use.tokensPerByte) * completions;
  return Number.isSafeInteger(total) ? total : null;
}

function boundReasoningTokens(
  request: JsonObject,
  completionTokens: number,
  { mayReason }: CompletionFactors,
): number {
  const asksFor = request["reasoning"] ?? request["reasoning_effort"] ?? request["include_reasoning"];
  if (!mayReason && asksFor == null) return 0;
  const budget = readFields(request["reasoning"])["max_tokens"];
  // A budget that is not a number has no effect here.
  const wanted = typeof budget === "number" ? budget : 0;
  return Math.max(LEAST_REASONING_TOKENS, completionTokens, wanted);
}

/** Returns the largest limit; Infinity if the endpoints are not known, or one of them states no limit. */
function findLargestLimit(
  limits: readonly CompletionLimits[] | undefined,
  readLimit: (limits: CompletionLimits) => number | null,
): number {
  if (!limits || limits.length === 0) return Infinity;
  return Math.max(...limits.map((one) => readLimit(one) ?? Infinity));
}
