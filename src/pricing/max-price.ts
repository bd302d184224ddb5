import { parseUsdToAttodollars } from "./decimal.ts";
import { type JsonObject, readFields } from "../json-values.ts";
import { type PriceSource, findLowestPrice } from "./prices.ts";

/** The client's `provider.max_price`, in attodollars (1e-18 USD) for one token or request; undefined: not limited. */
interface MaxPrice {
  readonly prompt: bigint | undefined;
  readonly completion: bigint | undefined;
  readonly request: bigint | undefined;
}

const TOKENS_PER_PRICE = 1_000_000n;
/**
 * How many times its base price an endpoint may charge for long prompts and for writing a cache. OpenRouter compares
 * `max_price` with base prices; the widest listed ratios are 8.4 (prompt) and 6.2 (completion).
 */
const BASE_PRICE_FACTOR_MAX = 10n;

/** Reads `provider.max_price`: USD for a million tokens, or for a request. A value that is no price limits nothing. */
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

/** Whether OpenRouter may still route to an endpoint: no price of it is certainly above the limit. */
export function mayServe({ pricing }: PriceSource, limits: MaxPrice): boolean {
  return (["prompt", "completion", "request"] as const).every((name) => {
    const limit = limits[name];
    return limit === undefined || findLowestPrice(pricing, name) <= limit;
  });
}

/** The dearest endpoint that the limits let through, when it is not known which there are; undefined: they bound nothing. */
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
