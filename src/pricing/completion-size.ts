import { type JsonObject, readFields } from "../json-values.ts";
import { readCount } from "./json-fields.ts";

/** What a model, or one endpoint of it, can answer with at most; null: it does not say. */
export interface CompletionLimits {
  readonly completionTokens: number | null;
  readonly contextTokens: number | null;
}

/** What decides how long a completion may be. */
interface CompletionFactors {
  /** Of every endpoint that may serve the request; undefined when it is not known which there are. */
  readonly limits: readonly CompletionLimits[] | undefined;
  /** The model may reason before it answers. */
  readonly mayReason: boolean;
  /** The most tokens that a byte of the request can become. */
  readonly tokensPerByte: number;
  /** Size of `prediction` as JSON; 0 without one. */
  readonly predictionBytes: number;
}

/** Where a provider takes no lower limit of the completion, OpenRouter raises the caller's to this, which is then billed. */
const LEAST_LIMIT_TOKENS = 16;
/** OpenRouter gives a model that takes a budget for its reasoning no less than this. */
const LEAST_REASONING_TOKENS = 1024;

/**
 * The most tokens of all `n` completions together, in whole tokens; null when neither the caller nor an endpoint sets a
 * limit.
 *
 * Which of `max_tokens` and `max_completion_tokens` wins differs between providers. OpenRouter gives reasoning a budget of
 * up to the whole limit, and providers differ in whether it is part of the limit or comes on top. Tokens of a rejected
 * `prediction` are billed as completion.
 */
export function boundCompletionTokens(request: JsonObject, use: CompletionFactors): number | null {
  // What is no count, and 0, which some providers take for none, is no limit.
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
  // What no number holds is no limit.
  const wanted = typeof budget === "number" ? budget : 0;
  return Math.max(LEAST_REASONING_TOKENS, completionTokens, wanted);
}

/** Infinity when the limits are not known, or one of them is none. */
function findLargestLimit(
  limits: readonly CompletionLimits[] | undefined,
  readLimit: (limits: CompletionLimits) => number | null,
): number {
  if (!limits || limits.length === 0) return Infinity;
  return Math.max(...limits.map((one) => readLimit(one) ?? Infinity));
}
