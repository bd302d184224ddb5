import { boundCompletionTokens, findLongestCompletion } from "./completion-size.ts";
import { formatAttodollars, type Rounding, toNanodollars } from "./decimal.ts";
import { type CandidateModel, type Routes, findRoutes } from "./endpoints.ts";
import { readCount, hasField } from "./json-fields.ts";
import { findPriceRanges, type PriceRange, UNKNOWN_RANGE } from "./prices.ts";
import { type PromptSize, boundPredictionBytes, boundPromptSize, type RequestBody } from "./prompt-size.ts";
import {
  UNBOUNDED_SCHEMA,
  type UnboundedCost,
  findUnboundedModelCosts,
  findUnboundedCosts,
} from "./unbounded-costs.ts";

/** Lower or upper bound of the cost of a component. A field that is not known before the request is null. */
export interface CostBound {
  /** Number of tokens or requests. */
  readonly quantity: number | null;
  /** Exact price of one token or request in US dollars. */
  readonly unitPriceUsd: string | null;
  readonly nanodollars: number | null;
}

/** One item of the cost of a model: prompt, completion, request, or a cost that is unbounded. */
export interface CostComponent {
  readonly model: string;
  readonly name: string;
  readonly lowest: CostBound & { readonly nanodollars: number };
  readonly highest: CostBound;
}

/**
 * Range of the cost of a request. Totals are sums of whole nanodollars (1e-9 USD): each component is rounded down for the
 * lowest cost, and up for the highest.
 */
export interface CostEstimate {
  readonly components: readonly CostComponent[];
  readonly lowestNanodollars: number;
  /** null: the cost is unbounded, and the notes give the reason. */
  readonly highestNanodollars: number | null;
  readonly notes: readonly string[];
}

/** Request to estimate. */
interface EstimateInput extends RequestBody {
  /** Whether OpenRouter may respond from its response cache, which costs nothing. */
  readonly mayHitCache: boolean;
  /** Reasons outside of the body, such as a header, why the cost is unbounded. */
  readonly unbounded?: readonly UnboundedCost[];
}

const PRICES_NOTE =
  "Prices are those that OpenRouter lists now for every endpoint of the model. A request that fails, or that uses your own provider key, can cost less.";
const CACHE_NOTE = "A response from OpenRouter's cache costs nothing, so the lowest cost is 0.";

/**
 * Estimates the range of the cost of a chat completion at listed prices, without a call to the model. The highest total is
 * an upper bound. If the cost is unbounded, the highest total is null, and a note names the field to drop or to set.
 * @param candidates at least one: all models that may serve the request, also as fallbacks. The lowest total is that of the
 * cheapest model, and the highest total is that of the most expensive one.
 */
export function estimateCost(input: EstimateInput, candidates: readonly CandidateModel[]): CostEstimate {
  if (candidates.length === 0) throw new RangeError("an estimate needs a model");
  const size = boundPromptSize(input);
  const parts = [...findUnboundedCosts(input.fields), ...(input.unbounded ?? [])];
  if (size.maxTokens === null) parts.push(UNBOUNDED_SCHEMA);
  const notes = new Set([PRICES_NOTE]);
  if (input.mayHitCache) notes.add(CACHE_NOTE);
  const modelInput = {
    ...input,
    size,
    // Searches the body only once for all models, because a body can have many megabytes and name many models.
    mayUseLongCache: hasField(input.fields, "ttl"),
    predictionBytes: boundPredictionBytes(input),
  };
  const estimates = candidates.map((candidate) => {
    const routes = findRoutes(candidate, input.fields);
    const all = [...parts, ...findUnboundedModelCosts(candidate.model), ...(candidate.unbounded ?? [])];
    const unbounded = [...new Map(all.map((one) => [one.name, one])).values()];
    for (const note of [...unbounded.map((one) => one.note), ...routes.notes]) notes.add(note);
    return estimateComponents(candidate.model.id, { ...modelInput, routes, unbounded });
  });
  const components = estimates.flat();
  for (const note of explainComponents(components, size)) notes.add(note);
  const lowest = estimates.map((ofModel) =>
    ofModel.reduce((sum, component) => sum + component.lowest.nanodollars, 0),
  );
  const highest = estimates.map(sumHighest);
  return {
    components,
    lowestNanodollars: lowest.reduce((a, b) => Math.min(a, b)),
    highestNanodollars: highest.reduce((a, b) => (a === null || b === null ? null : Math.max(a, b))),
    notes: [...notes],
  };
}

interface ModelEstimateInput extends EstimateInput {
  readonly size: PromptSize;
  readonly mayUseLongCache: boolean;
  readonly predictionBytes: number;
  readonly routes: Routes;
  readonly unbounded: readonly UnboundedCost[];
}

function estimateComponents(model: string, modelInput: ModelEstimateInput): CostComponent[] {
  const { fields, size, routes, unbounded } = modelInput;
  const prompt = computeMaxPromptTokens(modelInput);
  const prices = findPriceRanges(routes.sources, {
    maxPromptTokens: unbounded.length > 0 ? null : prompt,
    mayUseLongCache: modelInput.mayUseLongCache,
  });
  // An unbounded feature can also make the request free: a plugin can shorten the prompt, a preset can enable a cache.
  const mayBeFree = modelInput.mayHitCache || unbounded.length > 0 || routes.limits === undefined;
  const component = (
    name: string,
    price: PriceRange,
    [least, most]: [number, number | null],
  ): CostComponent => ({
    model,
    name,
    lowest: toLowestBound(mayBeFree ? 0 : least, mayBeFree ? 0n : price.lowest),
    highest: toHighestBound(most, price.highest),
  });
  const { tokensPerByte } = size;
  const { predictionBytes } = modelInput;
  const completion = boundCompletionTokens(fields, {
    longest: findLongestCompletion(routes.limits),
    mayReason: routes.mayReason,
    tokensPerByte,
    predictionBytes,
  });
  return [
    component("prompt", prices.prompt, [computeMinPromptTokens(modelInput), prompt]),
    component("completion", prices.completion, [0, completion]),
    component("request", prices.request, [1, 1]),
    ...unbounded.map(({ name }) => component(name, UNKNOWN_RANGE, [0, null])),
  ];
}

/** Returns the maximum. It counts the prompt `n` times, because a provider may bill the prompt for each of the `n` choices. */
function computeMaxPromptTokens({ fields, size: { maxTokens } }: ModelEstimateInput): number | null {
  const total = (maxTokens ?? NaN) * (readCount(fields["n"]) ?? 1);
  return Number.isSafeInteger(total) ? total : null;
}

/**
 * Returns the minimum. It is 0 if the prompt and the completion may exceed the context, because OpenRouter may then remove
 * the middle of the prompt.
 */
function computeMinPromptTokens({ fields, size, routes }: ModelEstimateInput): number {
  if (fields["transforms"] != null) return 0;
  const contexts = (routes.limits ?? []).map(({ contextTokens }) => contextTokens ?? Infinity);
  const limits = [fields["max_tokens"], fields["max_completion_tokens"]].map(
    (limit) => readCount(limit) ?? 0,
  );
  const needed = size.minTokens + Math.max(...limits);
  return needed > Math.min(...contexts) ? 0 : size.minTokens;
}

function explainComponents(components: readonly CostComponent[], { maxTokens }: PromptSize): string[] {
  const notes: string[] = [];
  for (const { model, name, highest } of components) {
    const { quantity, unitPriceUsd, nanodollars } = highest;
    if (quantity === null) {
      if (name === "completion") notes.push("The length of the completion is unbounded: set max_tokens.");
      if (name === "prompt" && maxTokens !== null)
        notes.push("The length of the prompt is unbounded: lower n.");
    } else if (unitPriceUsd === null) {
      notes.push(`The price that ${model} charges for ${name} is not known before the request.`);
    } else if (nanodollars === null) {
      notes.push("The highest cost is too large for an exact number: lower max_tokens or n.");
    }
  }
  return notes;
}

function toLowestBound(quantity: number, price: bigint): CostComponent["lowest"] {
  return {
    quantity,
    unitPriceUsd: formatAttodollars(price),
    nanodollars: computeNanodollars(quantity, price, "down") ?? Number.MAX_SAFE_INTEGER,
  };
}

function toHighestBound(quantity: number | null, price: bigint | undefined): CostBound {
  return {
    quantity,
    unitPriceUsd: price === undefined ? null : formatAttodollars(price),
    nanodollars: quantity === null || price === undefined ? null : computeNanodollars(quantity, price, "up"),
  };
}

/** Computes nanodollars; null if they exceed `Number.MAX_SAFE_INTEGER`, about 9 million dollars. */
function computeNanodollars(quantity: number, price: bigint, rounding: Rounding): number | null {
  const nanodollars = Number(toNanodollars(BigInt(quantity) * price, rounding));
  return Number.isSafeInteger(nanodollars) ? nanodollars : null;
}

function sumHighest(components: readonly CostComponent[]): number | null {
  let sum = 0;
  for (const { highest } of components) {
    if (highest.nanodollars === null) return null;
    sum += highest.nanodollars;
  }
  return Number.isSafeInteger(sum) ? sum : null;
}
