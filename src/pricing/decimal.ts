/** Rounding of an inexact result: down for a lower bound, up for an upper bound. */
export type Rounding = "down" | "up";

/** Decimal places of an attodollar (1e-18 USD), the unit of prices. Most listed prices are a whole number of attodollars. */
const ATTO_DIGITS = 18;
/** 1e18. A discount is parsed like a price, so this is also the value of a discount of 100 %. */
export const ATTODOLLARS_PER_DOLLAR: bigint = 10n ** 18n;
const ATTODOLLARS_PER_NANODOLLAR = 1_000_000_000n;
/** Larger exponents are rejected, because 10^1000000000 has a billion digits. The exponents of real prices are far smaller. */
const MAX_EXPONENT = 100;
const DECIMAL = /^(\d{1,100})(?:\.(\d{1,100}))?(?:[eE]([+-]?\d{1,9}))?$/;

/**
 * Parses a price of OpenRouter's lists without floating-point arithmetic.
 * @param text US dollars, such as `0.00000015` or `1e-7`. @param rounding rounding to 18 decimal places.
 * @returns attodollars (1e-18 USD); undefined if the text is not a decimal of 0 or more. OpenRouter writes an unknown price
 * as `-1`.
 */
export function parseUsdToAttodollars(text: string, rounding: Rounding): bigint | undefined {
  const match = DECIMAL.exec(text);
  if (!match) return undefined;
  const [, whole = "", fraction = "", exponent = "0"] = match;
  if (Math.abs(Number(exponent)) > MAX_EXPONENT) return undefined;
  const digits = BigInt(whole + fraction);
  const power = ATTO_DIGITS + Number(exponent) - fraction.length;
  return power >= 0 ? digits * 10n ** BigInt(power) : divide(digits, 10n ** BigInt(-power), rounding);
}

/**
 * Converts an amount to the unit of the ledger.
 * @param attodollars 0 or more. @returns whole nanodollars (1e-9 USD).
 */
export function toNanodollars(attodollars: bigint, rounding: Rounding): bigint {
  return divide(attodollars, ATTODOLLARS_PER_NANODOLLAR, rounding);
}

/** Formats attodollars, 0 or more, as an exact decimal of US dollars: 150000000000n as `0.00000015`. */
export function formatAttodollars(attodollars: bigint): string {
  const digits = attodollars.toString().padStart(ATTO_DIGITS + 1, "0");
  const fraction = digits.slice(-ATTO_DIGITS).replace(/0+$/, "");
  return fraction === "" ? digits.slice(0, -ATTO_DIGITS) : `${digits.slice(0, -ATTO_DIGITS)}.${fraction}`;
}

/** @param dividend 0 or more. @param divisor 1 or more. */
function divide(dividend: bigint, divisor: bigint, rounding: Rounding): bigint {
  return rounding === "down" ? dividend / divisor : (dividend + divisor - 1n) / divisor;
}
