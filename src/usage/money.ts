/** 1e-9 USD: the unit of the ledger. A number holds every sum up to 9 million dollars exactly. */
const NANODOLLARS_PER_USD = 1e9;

/**
 * US dollars as OpenRouter states them, a float, in whole nanodollars.
 * @param usd 0 or more; what is below half a nanodollar is rounded away.
 */
export function nanodollarsOf(usd: number): number {
  return Math.round(usd * NANODOLLARS_PER_USD);
}

/** Nanodollars as US dollars in decimal digits, exact, as `0.000003750`: for people and machines that a float would mislead. */
export function usdText(nanodollars: number): string {
  const digits = String(Math.abs(nanodollars)).padStart(10, "0");
  return `${nanodollars < 0 ? "-" : ""}${digits.slice(0, -9)}.${digits.slice(-9)}`;
}

/** Nanodollars as the float of US dollars that OpenRouter's own answers have. */
export function usdNumber(nanodollars: number): number {
  return nanodollars / NANODOLLARS_PER_USD;
}
