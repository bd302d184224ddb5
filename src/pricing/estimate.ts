import type { Model } from "../upstream/model-catalog.ts";
import { decimalText, type Rounding, wholeNanodollars } from "./decimal.ts";
import { countOf, fieldsOf } from "./json-fields.ts";
import { type ModelPrices, type PriceRange, pricesOf } from "./prices.ts";
import { type PromptSize, promptSize } from "./prompt-size.ts";
import { hasOtherTier, type Unbounded, unboundedOfModel, unboundedParts } from "./unbounded.ts";

/** Where a provider takes no lower limit of the completion, OpenRouter raises the caller's to this, which is then billed. */
const LEAST_LIMIT_TOKENS = 16;

/** One end of what a component may cost; null: nobody knows before the call. */
export interface Bound {
  /** Tokens, or requests. */
  readonly quantity: number | null;
  /** US dollars for one, as exact decimal digits. */
  readonly unitPriceUsd: string | null;
  readonly nanodollars: number | null;
}

/** One thing that a model charges for. */
export interface CostComponent {
  readonly model: string;
  readonly name: string;
  readonly lowest: Bound & { readonly nanodollars: number };
  readonly highest: Bound;
}

/** What a request may cost. Totals are sums of whole nanodollars (1e-9 USD), rounded down and up. */
export interface CostEstimate {
  readonly components: readonly CostComponent[];
  readonly lowestNanodollars: number;
  /** null: there is no bound, and the notes say why. */
  readonly highestNanodollars: number | null;
  readonly notes: readonly string[];
}

const PRICES_NOTE =
  "Prices are those of OpenRouter's list of models: another provider of the same model, a discount or a provider key of your own may cost otherwise.";

/**
 * The range of what a chat completion may cost at listed prices, by counting instead of calling the model.
 * @param request the parsed and checked JSON body.
 * @param models every model that may answer, the fallbacks too: the lowest total is that of the cheapest and the highest
 * that of the dearest. At least one.
 */
export function estimateCost(
  request: Readonly<Record<string, unknown>>,
  models: readonly Model[],
): CostEstimate {
  if (models.length === 0) throw new RangeError("an estimate needs a model");
  const notes = new Set([PRICES_NOTE]);
  // A body can have many megabytes and name many models, so it is gone through once.
  const asked = {
    request,
    size: promptSize(request),
    cachesForAnHour: JSON.stringify(request).includes('"ttl":"1h"'),
  };
  const parts = unboundedParts(request);
  const estimates = models.map((model) => {
    const unbounded = [...new Set([...parts, ...unboundedOfModel(model)])];
    for (const { note } of unbounded) notes.add(note);
    return componentsOf(model, { ...asked, unbounded });
  });
  if (hasOtherTier(request)) notes.add("The prices of this service_tier are not listed.");
  const components = estimates.flat();
  for (const component of components) {
    if (component.highest.nanodollars === null && component.highest.quantity !== null)
      notes.add(`What ${component.model} charges for ${component.name} is not known before the call.`);
  }
  if (components.some(({ name, highest }) => name === "completion" && highest.quantity === null))
    notes.add("The length of the completion is not bounded: set max_tokens.");
  const lowest = estimates.map((own) =>
    own.reduce((sum, component) => sum + component.lowest.nanodollars, 0),
  );
  const highest = estimates.map(highestOf);
  return {
    components,
    lowestNanodollars: lowest.reduce((a, b) => Math.min(a, b)),
    highestNanodollars: highest.reduce((a, b) => (a === null || b === null ? null : Math.max(a, b))),
    notes: [...notes],
  };
}

interface Asked {
  readonly request: Readonly<Record<string, unknown>>;
  readonly size: PromptSize;
  readonly cachesForAnHour: boolean;
  readonly unbounded: readonly Unbounded[];
}

function componentsOf(model: Model, asked: Asked): CostComponent[] {
  const { request, size, unbounded } = asked;
  const prices = listedPrices(model, asked);
  const component = (
    name: string,
    price: PriceRange,
    quantities: [number, number | null],
  ): CostComponent => ({
    model: model.id,
    name,
    lowest: lowestBound(quantities[0], price.lowest),
    highest: highestBound(quantities[1], price.highest),
  });
  return [
    component("prompt", prices.prompt, [leastPromptTokens(model, size), size.mostTokens]),
    component("completion", prices.completion, [0, mostCompletionTokens(model, request)]),
    component("request", prices.request, [1, 1]),
    ...unbounded.map(({ name }) => component(name, UNKNOWN, [0, null])),
  ];
}

const UNKNOWN: PriceRange = { lowest: 0n, highest: undefined };

function listedPrices(model: Model, { request, size, cachesForAnHour, unbounded }: Asked): ModelPrices {
  if (hasOtherTier(request)) return { prompt: UNKNOWN, completion: UNKNOWN, request: UNKNOWN };
  return pricesOf(model, {
    mostPromptTokens: unbounded.length > 0 ? null : size.mostTokens,
    cachesForAnHour,
  });
}

/** What does not fit into the context is refused, or cut out by a transform before it is billed. */
function leastPromptTokens(model: Model, { leastTokens }: PromptSize): number {
  return Math.min(leastTokens, countOf(model["context_length"]) ?? Infinity);
}

/** Tokens of all `n` answers together; null when neither caller nor model sets a limit. */
function mostCompletionTokens(model: Model, request: Readonly<Record<string, unknown>>): number | null {
  const asked = [request["max_tokens"], request["max_completion_tokens"]]
    .map(countOf)
    .filter((count) => count !== undefined);
  // Which of two wins differs between providers.
  const each =
    asked.length > 0
      ? Math.max(LEAST_LIMIT_TOKENS, ...asked)
      : (countOf(fieldsOf(model["top_provider"])["max_completion_tokens"]) ??
        countOf(model["context_length"]));
  const total = (each ?? NaN) * (countOf(request["n"]) ?? 1);
  return Number.isSafeInteger(total) ? total : null;
}

function lowestBound(quantity: number, price: bigint): CostComponent["lowest"] {
  return {
    quantity,
    unitPriceUsd: decimalText(price),
    nanodollars: cost(quantity, price, "down") ?? Number.MAX_SAFE_INTEGER,
  };
}

function highestBound(quantity: number | null, price: bigint | undefined): Bound {
  return {
    quantity,
    unitPriceUsd: price === undefined ? null : decimalText(price),
    nanodollars: quantity === null || price === undefined ? null : cost(quantity, price, "up"),
  };
}

/** Nanodollars; null when they are more than a number holds exactly, 9 million dollars. */
function cost(quantity: number, price: bigint, rounding: Rounding): number | null {
  const nanodollars = Number(wholeNanodollars(BigInt(quantity) * price, rounding));
  return Number.isSafeInteger(nanodollars) ? nanodollars : null;
}

function highestOf(components: readonly CostComponent[]): number | null {
  let sum = 0;
  for (const { highest } of components) {
    if (highest.nanodollars === null) return null;
    sum += highest.nanodollars;
  }
  return Number.isSafeInteger(sum) ? sum : null;
}
