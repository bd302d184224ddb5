/** More tokens than a model reads or writes in years. Sums of a million such counts are still safe integers of a database. */
const TOKENS_MAX = 1e12;
/** More US dollars than a request can cost. */
const USD_MAX = 1e6;

/**
 * Reads a count of tokens that upstream states.
 * @returns a whole number, or undefined for what is no number or beyond all sense: it counts as not stated.
 */
export function parseTokenCount(value: unknown): number | undefined {
  return isWithin(value, TOKENS_MAX) ? Math.round(value) : undefined;
}

/**
 * Reads an amount of US dollars that upstream states.
 * @returns the amount, or undefined for what is no number or beyond all sense: it counts as not stated.
 */
export function parseUsdAmount(value: unknown): number | undefined {
  return isWithin(value, USD_MAX) ? value : undefined;
}

/** False for NaN too. */
function isWithin(value: unknown, max: number): value is number {
  return typeof value === "number" && value >= 0 && value <= max;
}
