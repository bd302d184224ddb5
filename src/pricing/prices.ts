import { ATTODOLLARS_PER_DOLLAR, parseUsdToAttodollars, type Rounding } from "./decimal.ts";
import { readFields, readItems } from "../json-values.ts";
import { readCount } from "./json-fields.ts";

/** Range of the price of one unit, in attodollars (1e-18 USD). `highest` is undefined if it is not known before the request. */
export interface PriceRange {
  readonly lowest: bigint;
  readonly highest: bigint | undefined;
}

/** Price ranges of a prompt token, a completion token, and a request. */
interface PriceRanges {
  readonly prompt: PriceRange;
  readonly completion: PriceRange;
  readonly request: PriceRange;
}

/** Source of prices: the `pricing` of a model or of one of its endpoints. */
export interface PriceSource {
  readonly pricing: Pricing;
  /** If set, replaces the prices in `pricing`. */
  readonly range?: PriceRanges;
}

/** Properties of a request that select among the prices of one source. */
interface PriceConditions {
  /** Maximum number of prompt tokens; null: unknown. */
  readonly maxPromptTokens: number | null;
  /** Whether the prompt may be cached for longer than five minutes, which has a higher price. */
  readonly mayUseLongCache: boolean;
}

type Pricing = Readonly<Record<string, unknown>>;

const FREE: PriceRange = { lowest: 0n, highest: 0n };
/** A price that is not known before the request. */
export const UNKNOWN_RANGE: PriceRange = { lowest: 0n, highest: undefined };
const UNKNOWN_RANGES: PriceRanges = {
  prompt: UNKNOWN_RANGE,
  completion: UNKNOWN_RANGE,
  request: UNKNOWN_RANGE,
};

/** Returns the price ranges that include the prices of all sources. @param sources if empty, the prices are unknown. */
export function findPriceRanges(sources: readonly PriceSource[], conditions: PriceConditions): PriceRanges {
  if (sources.length === 0) return UNKNOWN_RANGES;
  const all = sources.map((source) => source.range ?? readSourceRanges(source.pricing, conditions));
  return {
    prompt: spanRanges(all.map(({ prompt }) => prompt)),
    completion: spanRanges(all.map(({ completion }) => completion)),
    request: spanRanges(all.map(({ request }) => request)),
  };
}

/** Returns the lowest price that a source may charge for a `prompt` or `completion` token or a `request`, in attodollars. */
export function findLowestPrice(pricing: Pricing, name: "prompt" | "completion" | "request"): bigint {
  const tiers = [pricing, ...listOverrides(pricing)];
  return applyDiscount(findLowest(tiers.map((tier) => readPrice(tier, name, "down") ?? 0n)), pricing);
}

/** Lists the numbers of prompt tokens from which other prices of a source apply. */
export function listPriceSteps({ pricing }: PriceSource): number[] {
  return readItems(pricing["overrides"]).map(
    (override) => readCount(readFields(override)["min_prompt_tokens"]) ?? 0,
  );
}

function listOverrides(pricing: Pricing): Pricing[] {
  return readItems(pricing["overrides"]).map((override) => ({ ...pricing, ...(override as Pricing) }));
}

/**
 * Reads the price ranges of one source. They include every tier (`overrides`) that may apply, such as prices of long prompts
 * or hours of the day. The state of the provider's cache is unknown. The range of the prompt price therefore extends down to
 * the price of a cache read, and up to the price of a cache write. A discount reduces only the lowest prices, because the
 * listed prices may already include it.
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

/** Combines the highest prompt and cache prices of all tiers, because several overrides can apply at the same time. */
function readPromptRange(tiers: readonly Pricing[], mayUseLongCache: boolean): PriceRange {
  const { lowest, highest } = spanRanges(tiers.map((tier) => readRange(tier, "prompt")));
  const reads = tiers
    .map((tier) => readPrice(tier, "input_cache_read", "down"))
    .filter((read) => read !== undefined);
  const bottom = findLowest([lowest, ...reads]);
  const writes = tiers.flatMap((tier) => readCacheWritePrices(tier, mayUseLongCache));
  const known = writes.filter((write) => write !== undefined);
  if (highest === undefined || known.length < writes.length) return { lowest: bottom, highest: undefined };
  // A cache write price below the prompt price is for storage only (Gemini), so the prompt price is charged in addition.
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

/** Returns a discount in units of 1e-18; undefined if it is not from 0 to 1. A negative discount would be a surcharge. */
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
