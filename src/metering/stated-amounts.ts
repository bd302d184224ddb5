/** More tokens than a model processes in years. The sum of a million such counts still fits in a 64-bit integer. */
const TOKENS_MAX = 1e12;
/** More than any request costs, in US dollars. */
const USD_MAX = 1e6;

/**
 * Parses a token count from an upstream response.
 * @returns a whole number; undefined if the value is not a number, is negative, or is implausibly large.
 */
export function parseTokenCount(value: unknown): number | undefined {
  return isWithin(value, TOKENS_MAX) ? Math.round(value) : undefined;
}

/**
 * Parses an amount of US dollars from an upstream response.
 * @returns the amount; undefined if the value is not a number, is negative, or is implausibly large.
 */
export function parseUsdAmount(value: unknown): number | undefined {
  return isWithin(value, USD_MAX) ? value : undefined;
}

/** Whether a value is a number from 0 to `max`. NaN is not. */
function isWithin(value: unknown, max: number): value is number {
  return typeof value === "number" && value >= 0 && value <= max;
}
