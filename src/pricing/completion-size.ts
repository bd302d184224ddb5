import { type JsonObject, readFields } from "../json-values.ts";
import { readCount } from "./json-fields.ts";

/** Maximum sizes that OpenRouter lists for a model or one of its endpoints; null: not listed. */
export interface CompletionLimits {
  readonly completionTokens: number | null;
  readonly contextTokens: number | null;
}

/** The largest limits of all endpoints that may serve a request; Infinity: not known. */
export interface LongestCompletion {
  readonly completionTokens: number;
  readonly contextTokens: number;
}

/** Inputs that, in addition to the request, determine the maximum length of a completion. */
interface CompletionFactors {
  readonly longest: LongestCompletion;
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
  const wantsReasoning =
    (request["reasoning"] ?? request["reasoning_effort"] ?? request["include_reasoning"]) != null;
  const budget = readFields(request["reasoning"])["max_tokens"];
  const each = boundOneCompletion({
    requestedTokens: readRequestedTokens(request["max_tokens"], request["max_completion_tokens"]),
    longest: factors.longest,
    mayReason: factors.mayReason || wantsReasoning,
    // A budget that is not a number has no effect here.
    reasoningTokens: typeof budget === "number" ? budget : 0,
  });
  const completions = request["n"] == null ? 1 : (readCount(request["n"]) ?? NaN);
  const total = (each + factors.predictionBytes * factors.tokensPerByte) * completions;
  return Number.isSafeInteger(total) ? total : null;
}

/** Properties of a request and its model that determine the maximum length of one completion. */
interface OneCompletion {
  /** The highest of the limits that the request sets; undefined: it sets none. */
  readonly requestedTokens: number | undefined;
  readonly longest: LongestCompletion;
  readonly mayReason: boolean;
  /** Reasoning budget that the request sets; 0: none. */
  readonly reasoningTokens: number;
}

/** Returns the maximum number of tokens of one completion, including its reasoning; Infinity if it has no limit. */
export function boundOneCompletion(one: OneCompletion): number {
  const { requestedTokens, longest, mayReason, reasoningTokens } = one;
  const completion =
    requestedTokens === undefined
      ? longest.completionTokens
      : Math.min(Math.max(LEAST_LIMIT_TOKENS, requestedTokens), longest.completionTokens);
  const reasoning = mayReason ? Math.max(LEAST_REASONING_TOKENS, completion, reasoningTokens) : 0;
  return Math.min(completion + reasoning, longest.contextTokens);
}

/**
 * Returns the highest of two limits of a request; undefined if both are absent. An invalid value sets no limit, so the result
 * is then Infinity. Neither does 0, which some providers treat as unlimited.
 */
export function readRequestedTokens(first: unknown, second: unknown): number | undefined {
  if (first == null) return second == null ? undefined : readCount(second) || Infinity;
  const tokens = readCount(first) || Infinity;
  return second == null ? tokens : Math.max(tokens, readCount(second) || Infinity);
}

/** Finds the largest limits of endpoints. @param limits undefined: not every endpoint is known. */
export function findLongestCompletion(limits: readonly CompletionLimits[] | undefined): LongestCompletion {
  return {
    completionTokens: findLargestLimit(
      limits,
      ({ completionTokens, contextTokens }) => completionTokens ?? contextTokens,
    ),
    contextTokens: findLargestLimit(limits, ({ completionTokens, contextTokens }) =>
      contextTokens === null ? null : Math.max(contextTokens, completionTokens ?? 0),
    ),
  };
}

/** Returns the largest limit; Infinity if the endpoints are not known, or if one of them lists no limit. */
function findLargestLimit(
  limits: readonly CompletionLimits[] | undefined,
  readLimit: (limits: CompletionLimits) => number | null,
): number {
  if (!limits || limits.length === 0) return Infinity;
  return Math.max(...limits.map((one) => readLimit(one) ?? Infinity));
}
