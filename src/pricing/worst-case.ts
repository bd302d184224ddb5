import type { CompiledModel } from "./compiled-prices.ts";
import { boundCompletionTokens, boundOneCompletion, readRequestedTokens } from "./completion-size.ts";
import type { CostRules } from "./cost-rules.ts";
import { hasField } from "./json-fields.ts";
import { boundPlainPromptTokens, boundPromptTokens, type RequestBody } from "./prompt-size.ts";
import { findUnboundedCosts, UNBOUNDED_SCHEMA, type UnboundedCost } from "./unbounded-costs.ts";

/** Upper bounds of the tokens and of the cost of a request. */
export interface WorstCase {
  /**
   * Tokens of the texts in the request; null: unbounded. If `unbounded` is not empty, OpenRouter may add other tokens, such
   * as those of a web search.
   */
  readonly promptTokens: number | null;
  /** Tokens of all completions together, including reasoning; null: unbounded. */
  readonly completionTokens: number | null;
  /** Whole nanodollars (1e-9 USD) of the dearest model that may serve the request; null: unbounded. */
  readonly nanodollars: number | null;
  /**
   * The part of the cost that has a bound, in whole nanodollars. It equals `nanodollars` unless that is null. Otherwise the
   * request may cost more.
   */
  readonly boundedNanodollars: number;
  /** Reasons why the cost is unbounded; empty if and only if it is bounded. */
  readonly unbounded: readonly UnboundedCost[];
}

const NONE: readonly UnboundedCost[] = [];

/**
 * Bounds the cost of a request that consists of texts and of fields that do not affect the cost.
 * @param models all models that may serve the request. Their prices must not depend on the request.
 * @returns the bound; undefined if another kind of request or an unbounded cost needs {@link boundWorstCase}.
 */
export function boundPlainWorstCase(
  { fields, bytes }: RequestBody,
  { plain, completion }: CostRules,
  models: readonly CompiledModel[],
): WorstCase | undefined {
  if (!plain || models.length === 0) return undefined;
  for (const name in fields) {
    if (!plain.fields.has(name)) return undefined;
    const value = fields[name];
    if (typeof value === "object" && name !== plain.textField && hasField(value, "ttl")) return undefined;
  }
  const texts = plain.countTexts(fields[plain.textField]);
  if (texts < 0) return undefined;
  const promptTokens = boundPlainPromptTokens(bytes, texts);
  const requestedTokens = completion && readPlainLimit(fields, completion.limitFields);
  let completionTokens = 0;
  let nanodollars = 0;
  for (let index = 0; index < models.length; index++) {
    const model = models[index] as CompiledModel;
    if (model.unbounded.length > 0) return undefined;
    const { longest, mayReason } = model;
    const each = completion
      ? boundOneCompletion({ requestedTokens, longest, mayReason, reasoningTokens: 0 })
      : 0;
    completionTokens = Math.max(completionTokens, each);
    nanodollars = Math.max(nanodollars, boundModelCost(model, promptTokens, each));
  }
  return Number.isSafeInteger(nanodollars) && Number.isSafeInteger(completionTokens)
    ? { promptTokens, completionTokens, nanodollars, boundedNanodollars: nanodollars, unbounded: NONE }
    : undefined;
}

function readPlainLimit(
  fields: RequestBody["fields"],
  [first, second]: readonly [string, string?],
): number | undefined {
  return readRequestedTokens(fields[first], second === undefined ? undefined : fields[second]);
}

/** Charges of a request in addition to a prompt and a completion. */
interface Charges {
  /** Whether the prompt may be cached for longer than five minutes. */
  readonly mayUseLongCache: boolean;
  /** How often the price of a request is charged. */
  readonly requests: number;
}

const ONE_REQUEST: Charges = { mayUseLongCache: false, requests: 1 };

/** Returns whole nanodollars; Infinity or NaN if a price is not known. */
function boundModelCost(
  { steps }: CompiledModel,
  promptTokens: number,
  completionTokens: number,
  { mayUseLongCache, requests }: Charges = ONE_REQUEST,
): number {
  let [step] = steps;
  for (let index = 1; index < steps.length; index++) {
    const next = steps[index];
    if (next && next.fromTokens <= promptTokens) step = next;
  }
  const promptPrice = mayUseLongCache ? step.longCachePrompt : step.prompt;
  return (
    Math.ceil(promptTokens * promptPrice) +
    Math.ceil(completionTokens * step.completion) +
    Math.ceil(requests * step.request)
  );
}

/** The models that may serve a request. */
interface PricedModels {
  /** Their prices for this request. */
  readonly models: readonly CompiledModel[];
  /** Reasons outside of the body and of the models why the cost is unbounded. */
  readonly unbounded: readonly UnboundedCost[];
}

/**
 * Bounds the cost of any request.
 * @param body the request. Its `model` and `models` are those that are forwarded.
 */
export function boundWorstCase(
  body: RequestBody,
  rules: CostRules,
  { models, unbounded }: PricedModels,
): WorstCase {
  const { fields } = body;
  const { maxTokens, tokensPerByte } = boundPromptTokens(body.bytes, rules.readParts(fields));
  const reasons = [...findUnboundedCosts(fields, rules.unbounded), ...unbounded];
  if (models.length === 0 && reasons.length === 0) reasons.push(NO_MODEL);
  if (maxTokens === null) reasons.push(UNBOUNDED_SCHEMA);
  const promptTokens = toCount((maxTokens ?? NaN) * (rules.completion?.countPromptUses(fields) ?? 1));
  if (promptTokens === null && maxTokens !== null) reasons.push(TOO_MANY_CHOICES);
  const charges = {
    mayUseLongCache: hasField(fields, "ttl"),
    requests: rules.countRequests?.(fields) ?? 1,
  };
  const chatFields = rules.completion?.toChatFields(fields);
  const predictionBytes = rules.completion?.boundRepeatedBytes?.(body) ?? 0;
  let completionTokens: number | null = 0;
  let boundedNanodollars = 0;
  for (const model of models) {
    const { longest, mayReason } = model;
    const factors = { longest, mayReason, tokensPerByte, predictionBytes };
    const tokens = chatFields ? boundCompletionTokens(chatFields, factors) : 0;
    reasons.push(...model.unbounded);
    if (tokens === null) reasons.push(createLimitReason(rules));
    completionTokens =
      completionTokens === null || tokens === null ? null : Math.max(completionTokens, tokens);
    const cost = boundModelCost(model, promptTokens ?? body.bytes.length, tokens ?? 0, charges);
    if (Number.isFinite(cost))
      boundedNanodollars = Math.max(boundedNanodollars, Math.min(cost, Number.MAX_SAFE_INTEGER));
    if (promptTokens === null || tokens === null || model.unbounded.length > 0) continue;
    if (!Number.isSafeInteger(cost)) reasons.push(explainCost(model, cost));
  }
  const distinct = [...new Map(reasons.map((reason) => [reason.name + reason.note, reason])).values()];
  return {
    promptTokens,
    completionTokens: models.length === 0 ? null : completionTokens,
    nanodollars: distinct.length === 0 ? boundedNanodollars : null,
    boundedNanodollars,
    unbounded: distinct,
  };
}

function toCount(tokens: number): number | null {
  return Number.isSafeInteger(tokens) ? tokens : null;
}

const NO_MODEL: UnboundedCost = {
  name: "model",
  note: "The request names no model whose price is known: name a model that OpenRouter lists.",
  param: "model",
};
const TOO_MANY_CHOICES: UnboundedCost = {
  name: "prompt",
  note: "The length of the prompt is unbounded: lower n.",
  param: "n",
};

function createLimitReason({ completion }: CostRules): UnboundedCost {
  const param = completion?.limitFields[0] ?? "max_tokens";
  return { name: "completion", note: `The length of the completion is unbounded: set ${param}.`, param };
}

function explainCost({ id }: CompiledModel, cost: number): UnboundedCost {
  return Number.isFinite(cost)
    ? {
        name: "amount",
        note: "The highest cost is too large for an exact number: lower the token limit or n.",
      }
    : { name: "prices", note: `The price of ${id} is not known before the request.`, param: "model" };
}
