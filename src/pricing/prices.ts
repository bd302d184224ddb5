import { ATTODOLLARS_PER_DOLLAR, parseUsdToAttodollars, type Rounding } from "./decimal.ts";
import { readItems } from "../json-values.ts";
import { readCount } from "./json-fields.ts";

/** What one unit may cost, in attodollars (1e-18 USD); `highest` undefined: not known beforehand. */
export interface PriceRange {
  readonly lowest: bigint;
  readonly highest: bigint | undefined;
}

/** What may be charged for a token of the prompt, a token of the completion, and a request. */
interface PriceRanges {
  readonly prompt: PriceRange;
  readonly completion: PriceRange;
  readonly request: PriceRange;
}

/** Where prices come from: the `pricing` of a model or of one of its endpoints. */
export interface PriceSource {
  readonly pricing: Pricing;
  /** Replaces what `pricing` says. */
  readonly range?: PriceRanges;
}

/** What of a request decides between the prices of one source. */
interface PriceConditions {
  /** The most tokens the prompt can have; null: nobody knows. */
  readonly maxPromptTokens: number | null;
  /** Whether anything may be cached for longer than five minutes, which is dearer. */
  readonly mayUseLongCache: boolean;
}

type Pricing = Readonly<Record<string, unknown>>;

const FREE: PriceRange = { lowest: 0n, highest: 0n };
/** A price that nobody knows beforehand. */
export const UNKNOWN_RANGE: PriceRange = { lowest: 0n, highest: undefined };
const UNKNOWN_RANGES: PriceRanges = {
  prompt: UNKNOWN_RANGE,
  completion: UNKNOWN_RANGE,
  request: UNKNOWN_RANGE,
};

/** The prices that span those of every source that may serve a request. @param sources unknown prices when there is none. */
export function findPriceRanges(sources: readonly PriceSource[], use: PriceConditions): PriceRanges {
  if (sources.length === 0) return UNKNOWN_RANGES;
  const all = sources.map((source) => source.range ?? readSourceRanges(source.pricing, use));
  return {
    prompt: spanRanges(all.map(({ prompt }) => prompt)),
    completion: spanRanges(all.map(({ completion }) => completion)),
    request: spanRanges(all.map(({ request }) => request)),
  };
}

/** The lowest price that a source may charge for a `prompt` or `completion` token or a `request`, in attodollars. */
export function findLowestPrice(pricing: Pricing, name: "prompt" | "completion" | "request"): bigint {
  const tiers = [pricing, ...listOverrides(pricing)];
  return applyDiscount(findLowest(tiers.map((tier) => readPrice(tier, name, "down") ?? 0n)), pricing);
}

function listOverrides(pricing: Pricing): Pricing[] {
  return readItems(pricing["overrides"]).map((override) => ({ ...pricing, ...(override as Pricing) }));
}

/**
 * Long prompts and hours of the day have prices of their own (`overrides`), so every tier that the prompt may reach counts.
 * Nobody knows what is cached, so the lowest price of the prompt is that of reading the cache where it is cheaper, and the
 * highest that of writing it where it is dearer. A discount lowers the lowest prices only: prices may be listed with it.
 */
function readSourceRanges(
  pricing: Pricing,
  { maxPromptTokens, mayUseLongCache }: PriceConditions,
): PriceRanges {
  if (readDiscount(pricing) === undefined) return UNKNOWN_RANGES;
  const reached = listOverrides(pricing).filter(
    (tier) => maxPromptTokens === null || (readCount(tier["min_prompt_tokens"]) ?? 0) <= maxPromptTokens,
  );
  const tiers = [pricing, ...reached];
  const discount = ({ lowest, highest }: PriceRange): PriceRange => ({
    lowest: applyDiscount(lowest, pricing),
    highest,
  });
  return {
    prompt: discount(readPromptRange(tiers, mayUseLongCache)),
    completion: discount(spanRanges(tiers.map(readCompletionRange))),
    request: discount(
      spanRanges(tiers.map((tier) => ("request" in tier ? readRange(tier, "request") : FREE))),
    ),
  };
}

/** Overrides can apply together, so the dearest prompt counts with the dearest cache, whichever tiers they are from. */
function readPromptRange(tiers: readonly Pricing[], mayUseLongCache: boolean): PriceRange {
  const { lowest, highest } = spanRanges(tiers.map((tier) => readRange(tier, "prompt")));
  const reads = tiers
    .map((tier) => readPrice(tier, "input_cache_read", "down"))
    .filter((read) => read !== undefined);
  const bottom = findLowest([lowest, ...reads]);
  const writes = tiers.flatMap((tier) => readCacheWritePrices(tier, mayUseLongCache));
  const known = writes.filter((write) => write !== undefined);
  if (highest === undefined || known.length < writes.length) return { lowest: bottom, highest: undefined };
  // A writing price below that of the prompt is for storage alone (Gemini) and comes on top of it.
  const storesOnly = tiers.some((tier) => {
    const prompt = readPrice(tier, "prompt", "up") ?? 0n;
    return readCacheWritePrices(tier, mayUseLongCache).some((write) => write !== undefined && write < prompt);
  });
  const write = findHighest([0n, ...known]);
  return { lowest: bottom, highest: storesOnly ? highest + write : findHighest([highest, write]) };
}

function readCacheWritePrices(tier: Pricing, mayUseLongCache: boolean): (bigint | undefined)[] {
  const names = ["input_cache_write", ...(mayUseLongCache ? ["input_cache_write_1h"] : [])];
  return names.filter((name) => name in tier).map((name) => readPrice(tier, name, "up"));
}

function readCompletionRange(tier: Pricing): PriceRange {
  const completion = readRange(tier, "completion");
  return "internal_reasoning" in tier
    ? spanRanges([completion, readRange(tier, "internal_reasoning")])
    : completion;
}

/** The part that a discount takes off, in 1e-18; undefined when it is no fraction, as a surcharge would not be. */
function readDiscount({ discount }: Pricing): bigint | undefined {
  if (discount == null) return 0n;
  const part = typeof discount === "number" ? parseUsdToAttodollars(String(discount), "up") : undefined;
  return part !== undefined && part <= ATTODOLLARS_PER_DOLLAR ? part : undefined;
}

function applyDiscount(lowest: bigint, pricing: Pricing): bigint {
  const part = readDiscount(pricing) ?? ATTODOLLARS_PER_DOLLAR;
  return (lowest * (ATTODOLLARS_PER_DOLLAR - part)) / ATTODOLLARS_PER_DOLLAR;
}

function readRange(tier: Pricing, name: string): PriceRange {
  return { lowest: readPrice(tier, name, "down") ?? 0n, highest: readPrice(tier, name, "up") };
}

function readPrice(tier: Pricing, name: string, rounding: Rounding): bigint | undefined {
  const listed = tier[name];
  return typeof listed === "string" || typeof listed === "number"
    ? parseUsdToAttodollars(String(listed), rounding)
    : undefined;
}

function spanRanges(ranges: readonly PriceRange[]): PriceRange {
  const highest = ranges.map((range) => range.highest);
  const known = highest.filter((value) => value !== undefined);
  return {
    lowest: findLowest(ranges.map((range) => range.lowest)),
    highest: known.length === highest.length ? findHighest(known) : undefined,
  };
}

function findLowest(values: readonly bigint[]): bigint {
  return values.reduce((a, b) => (b < a ? b : a));
}

function findHighest(values: readonly bigint[]): bigint {
  return values.reduce((a, b) => (b > a ? b : a));
}
