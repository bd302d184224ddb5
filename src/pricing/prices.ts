import type { Model } from "../upstream/model-catalog.ts";
import { attodollarsOf, type Rounding } from "./decimal.ts";
import { countOf, fieldsOf, itemsOf } from "./json-fields.ts";

/** What one unit may cost, in attodollars (1e-18 USD); `highest` undefined: not known beforehand. */
export interface PriceRange {
  readonly lowest: bigint;
  readonly highest: bigint | undefined;
}

/** What a model may charge for a token of the prompt, a token of the completion, and a request. */
export interface ModelPrices {
  readonly prompt: PriceRange;
  readonly completion: PriceRange;
  readonly request: PriceRange;
}

/** What of a request decides between a model's prices. */
export interface PriceUse {
  /** The most tokens the prompt can have; null: nobody knows. */
  readonly mostPromptTokens: number | null;
  /** Whether anything is to be cached for an hour, which is dearer than five minutes. */
  readonly cachesForAnHour: boolean;
}

type Tier = Readonly<Record<string, unknown>>;

/**
 * The prices of a model that may apply to a request.
 *
 * Long prompts have prices of their own (`overrides`), so every tier that the prompt may reach counts. Nobody knows what is
 * cached, so the lowest price of the prompt is that of reading the cache where it is cheaper, and the highest that of
 * writing it where it is dearer.
 */
export function pricesOf(model: Model, { mostPromptTokens, cachesForAnHour }: PriceUse): ModelPrices {
  const pricing = fieldsOf(model["pricing"]);
  const overrides = itemsOf(pricing["overrides"])
    .map((override) => ({ ...pricing, ...fieldsOf(override) }))
    .filter(
      (tier: Tier) =>
        mostPromptTokens === null || (countOf(tier["min_prompt_tokens"]) ?? 0) <= mostPromptTokens,
    );
  const tiers: readonly Tier[] = [pricing, ...overrides];
  return {
    prompt: widest(tiers.map((tier) => promptRange(tier, cachesForAnHour))),
    completion: widest(tiers.map(completionRange)),
    request: widest(tiers.map((tier) => (tier["request"] === undefined ? FREE : rangeOf(tier, "request")))),
  };
}

const FREE: PriceRange = { lowest: 0n, highest: 0n };

function promptRange(tier: Tier, cachesForAnHour: boolean): PriceRange {
  const { lowest, highest } = rangeOf(tier, "prompt");
  const read = price(tier, "input_cache_read", "down");
  const writes = ["input_cache_write", ...(cachesForAnHour ? ["input_cache_write_1h"] : [])]
    .map((name) => price(tier, name, "up"))
    .filter((write) => write !== undefined);
  return {
    lowest: read === undefined ? lowest : least([lowest, read]),
    // A writing price below that of the prompt is for storage alone (Gemini) and comes on top of it.
    highest:
      highest === undefined
        ? undefined
        : most([highest, ...writes.map((write) => (write < highest ? highest + write : write))]),
  };
}

function completionRange(tier: Tier): PriceRange {
  const { lowest, highest } = rangeOf(tier, "completion");
  const reasoning = rangeOf(tier, "internal_reasoning");
  if (tier["internal_reasoning"] === undefined) return { lowest, highest };
  return widest([{ lowest, highest }, reasoning]);
}

function rangeOf(tier: Tier, name: string): PriceRange {
  return { lowest: price(tier, name, "down") ?? 0n, highest: price(tier, name, "up") };
}

function price(tier: Tier, name: string, rounding: Rounding): bigint | undefined {
  const listed = tier[name];
  return typeof listed === "string" || typeof listed === "number"
    ? attodollarsOf(String(listed), rounding)
    : undefined;
}

function widest(ranges: readonly PriceRange[]): PriceRange {
  const highest = ranges.map((range) => range.highest);
  const known = highest.filter((value) => value !== undefined);
  return {
    lowest: least(ranges.map((range) => range.lowest)),
    highest: known.length === highest.length ? most(known) : undefined,
  };
}

function least(values: readonly bigint[]): bigint {
  return values.reduce((a, b) => (b < a ? b : a));
}

function most(values: readonly bigint[]): bigint {
  return values.reduce((a, b) => (b > a ? b : a));
}
