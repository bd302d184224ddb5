import { parseUsdToAttodollars } from "./decimal.ts";
import { type JsonObject, readFields } from "../json-values.ts";
import { type PriceSource, findLowestPrice } from "./prices.ts";

/** `provider.max_price` of a request, in attodollars (1e-18 USD) for one token or request; undefined: no limit. */
interface MaxPrice {
  readonly prompt: bigint | undefined;
  readonly completion: bigint | undefined;
  readonly request: bigint | undefined;
}

const TOKENS_PER_PRICE = 1_000_000n;
/**
 * Maximum ratio of the price for long prompts and cache writes to the base price of an endpoint. OpenRouter compares
 * `max_price` with base prices only. The largest listed ratios are 8.4 (prompt) and 6.2 (completion).
 */
const BASE_PRICE_FACTOR_MAX = 10n;

/** Reads `provider.max_price`: USD for a million tokens, or for a request. A value that is not a price sets no limit. */
export function readMaxPrice(request: JsonObject): MaxPrice {
  const limits = readFields(readFields(request["provider"])["max_price"]);
  const perToken = (name: string): bigint | undefined => {
    const perMillion = parseLimit(limits[name]);
    return perMillion === undefined ? undefined : (perMillion + TOKENS_PER_PRICE - 1n) / TOKENS_PER_PRICE;
  };
  return {
    prompt: perToken("prompt"),
    completion: perToken("completion"),
    request: parseLimit(limits["request"]),
  };
}

function parseLimit(value: unknown): bigint | undefined {
  return typeof value === "string" || typeof value === "number"
    ? parseUsdToAttodollars(String(value), "up")
    : undefined;
}

/** Whether OpenRouter may route a request to an endpoint, because the lowest prices of the endpoint are within the limits. */
export function mayServe({ pricing }: PriceSource, limits: MaxPrice): boolean {
  return (["prompt", "completion", "request"] as const).every((name) => {
    const limit = limits[name];
    return limit === undefined || findLowestPrice(pricing, name) <= limit;
  });
}

/** Returns the highest prices that an unknown endpoint can have within the limits; undefined if a limit is missing. */
export function toWorstCaseSource({ prompt, completion, request }: MaxPrice): PriceSource | undefined {
  if (prompt === undefined || completion === undefined || request === undefined) return undefined;
  return {
    pricing: {},
    range: {
      prompt: { lowest: 0n, highest: prompt * BASE_PRICE_FACTOR_MAX },
      completion: { lowest: 0n, highest: completion * BASE_PRICE_FACTOR_MAX },
      request: { lowest: 0n, highest: request },
    },
  };
}
