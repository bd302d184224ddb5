import { findLongestCompletion, type LongestCompletion } from "./completion-size.ts";
import type { CostRules } from "./cost-rules.ts";
import { type CandidateModel, findRoutes } from "./endpoints.ts";
import { findPriceRanges, listPriceSteps, type PriceSource } from "./prices.ts";
import { type UnboundedCost, findUnboundedModelCosts } from "./unbounded-costs.ts";
import type { JsonObject } from "../json-values.ts";

/**
 * The highest prices of a model's endpoints for prompts of at least `fromTokens`, in nanodollars per token or per request.
 * They are rounded up. Infinity: not known before the request.
 */
interface PriceStep {
  readonly fromTokens: number;
  readonly prompt: number;
  /** Price of a prompt token if the prompt may be cached for longer than five minutes. */
  readonly longCachePrompt: number;
  readonly completion: number;
  readonly request: number;
}

/** The highest prices and the limits of a model's endpoints, as numbers, so that bounding a cost takes little time. */
export interface CompiledModel {
  readonly id: string;
  /**
   * By number of prompt tokens. The first step applies from 0. If endpoints that are not listed may serve the request, these are
   * the prices of the listed ones, and `unbounded` has a reason.
   */
  readonly steps: readonly [PriceStep, ...PriceStep[]];
  readonly longest: LongestCompletion;
  readonly mayReason: boolean;
  /** Reasons why the cost of this model is unbounded. */
  readonly unbounded: readonly UnboundedCost[];
}

const NO_FIELDS: JsonObject = {};

/**
 * Compiles the prices of a model.
 * @param output the output of the model. @param fields the request, if its `provider` or `service_tier` selects endpoints.
 */
export function compileModel(
  candidate: CandidateModel,
  output: CostRules["output"],
  fields: JsonObject = NO_FIELDS,
): CompiledModel {
  const { model, unbounded = [] } = candidate;
  const routes = findRoutes(candidate, fields);
  const isKnown = routes.sources.length > 0;
  const { sources, limits } = isKnown ? routes : routes.listed;
  const steps = compileSteps(sources, output !== "text");
  const reasons = isKnown ? findUnlistedPrice(model.id, steps, output) : routes.notes;
  return {
    id: model.id,
    steps,
    longest: findLongestCompletion(limits),
    mayReason: routes.mayReason,
    unbounded: [
      ...findUnboundedModelCosts(model, output),
      ...unbounded,
      ...reasons.map((note) => ({ name: "prices", note, param: "model" })),
    ],
  };
}

/**
 * Explains that prices of 0 are no prices. Models that generate no text can be billed in other units, such as searches, whose
 * price may not be in the list.
 */
function findUnlistedPrice(
  id: string,
  steps: readonly PriceStep[],
  output: CostRules["output"],
): readonly string[] {
  const isFree = steps.every(({ longCachePrompt, request }) => longCachePrompt === 0 && request === 0);
  if (output === "text" || !isFree || id.endsWith(":free")) return [];
  return [`OpenRouter lists no price for ${id}: choose another model.`];
}

/** @param isPromptOnly whether the model generates no tokens. */
function compileSteps(sources: readonly PriceSource[], isPromptOnly: boolean): [PriceStep, ...PriceStep[]] {
  const compileStep = (fromTokens: number): PriceStep => {
    const read = (mayUseLongCache: boolean) =>
      findPriceRanges(sources, { maxPromptTokens: fromTokens, mayUseLongCache });
    const { prompt, completion, request } = read(false);
    return {
      fromTokens,
      prompt: toNanodollars(prompt.highest),
      longCachePrompt: toNanodollars(read(true).prompt.highest),
      completion: isPromptOnly ? 0 : toNanodollars(completion.highest),
      request: toNanodollars(request.highest),
    };
  };
  const starts = new Set(sources.flatMap(listPriceSteps).filter((start) => start > 0));
  return [compileStep(0), ...[...starts].toSorted((a, b) => a - b).map(compileStep)];
}

const ATTODOLLARS_PER_NANODOLLAR = 1_000_000_000n;
/** More than the relative error of a division and a multiplication of doubles. */
const ROUND_UP = 1 + 2 ** -50;

/** Converts attodollars to a double. The product of a whole number and the result is never below the exact product. */
function toNanodollars(attodollars: bigint | undefined): number {
  if (attodollars === undefined) return Infinity;
  const nanodollars = Number(attodollars) / Number(ATTODOLLARS_PER_NANODOLLAR);
  return attodollars % ATTODOLLARS_PER_NANODOLLAR === 0n ? nanodollars : nanodollars * ROUND_UP;
}
