/** Which way what cannot be stated exactly goes: down for a lower bound, up for an upper one. */
export type Rounding = "down" | "up";

/** Decimals of an attodollar, 1e-18 USD: the unit of prices. Most listed prices fit it exactly. */
const ATTO_DIGITS = 18;
/** 1e18: also the scale of a fraction that is read as a price is. */
export const ATTODOLLARS_PER_DOLLAR: bigint = 10n ** 18n;
const ATTODOLLARS_PER_NANODOLLAR = 1_000_000_000n;
/** No price is near it; an exponent of a billion would be a number of a billion digits. */
const MAX_EXPONENT = 100;
const DECIMAL = /^(\d{1,100})(?:\.(\d{1,100}))?(?:[eE]([+-]?\d{1,9}))?$/;

/**
 * A price as OpenRouter lists it, without ever being a float.
 * @param text US dollars as `0.00000015` or `1e-7`. @param rounding of digits beyond the 18th.
 * @returns attodollars (1e-18 USD); undefined when the price is unknown, which OpenRouter writes as `-1`, or is no decimal.
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
 * An amount in the unit of the ledger.
 * @param attodollars 0 or more. @returns whole nanodollars (1e-9 USD).
 */
export function toNanodollars(attodollars: bigint, rounding: Rounding): bigint {
  return divide(attodollars, ATTODOLLARS_PER_NANODOLLAR, rounding);
}

/** Attodollars, 0 or more, as US dollars in the fewest decimal digits, exact: 150000000000n is `0.00000015`. */
export function formatAttodollars(attodollars: bigint): string {
  const digits = attodollars.toString().padStart(ATTO_DIGITS + 1, "0");
  const fraction = digits.slice(-ATTO_DIGITS).replace(/0+$/, "");
  return fraction === "" ? digits.slice(0, -ATTO_DIGITS) : `${digits.slice(0, -ATTO_DIGITS)}.${fraction}`;
}

/** @param dividend 0 or more. @param divisor 1 or more. */
function divide(dividend: bigint, divisor: bigint, rounding: Rounding): bigint {
  return rounding === "down" ? dividend / divisor : (dividend + divisor - 1n) / divisor;
}
