/** 1e-9 USD: the unit of the ledger. A number holds every sum up to 9 million dollars exactly. */
const NANODOLLARS_PER_USD = 1e9;

/**
 * US dollars as OpenRouter states them, a float, in whole nanodollars.
 * @param usd 0 or more; what is below half a nanodollar is rounded away.
 */
export function nanodollarsOf(usd: number): number {
  return Math.round(usd * NANODOLLARS_PER_USD);
}
