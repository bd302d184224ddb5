/** The ledger counts in nanodollars (1e-9 USD): a number represents every sum up to 9 million dollars exactly. */
export const NANODOLLARS_PER_USD = 1e9;
const NANO_DIGITS = 9;
const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,9}))?$/;
/** A safe integer has at most 16 digits, so an amount that needs more trailing zeros than this becomes Infinity. */
const ZEROS_MAX = 30;
/** Up to this amount, the product of a float and 1e9 differs from the decimal result by less than 0.01. */
const EXACT_MAX_NANODOLLARS = 1e13;
/** A product that is nearer than this to a whole number is rounded to that number, whatever its error is. */
const NEAR = 0.49;

/**
 * Converts US dollars, as OpenRouter states them, to whole nanodollars. Works on decimal digits near a half, because
 * multiplying floats adds a rounding error: 1.0000000005 * 1e9 is less than 1000000000.5 and would be rounded down.
 * @param usd a float, converted by its shortest decimal digits, or decimal text such as `0.00006` or `1e-7`.
 * @returns whole nanodollars, with halves rounded away from zero; `usd` itself if it is NaN or ±Infinity; NaN for
 * text that is not a decimal.
 */
export function toNanodollars(usd: number | string): number {
  if (typeof usd === "number") {
    const product = usd * NANODOLLARS_PER_USD;
    const rounded = Math.round(product);
    // Most amounts are clear without their digits, which take 30 times as long. Adding 0 turns -0 into 0.
    if (Math.abs(rounded) < EXACT_MAX_NANODOLLARS && Math.abs(product - rounded) < NEAR) return rounded + 0;
  }
  const [, sign, whole = "", fraction = "", exponent = "0"] = DECIMAL.exec(String(usd)) ?? [];
  // NaN and ±Infinity are the only floats whose text does not match.
  if (sign === undefined) return typeof usd === "number" ? usd : Number.NaN;
  const digits = whole + fraction;
  const dropped = fraction.length - Number(exponent) - NANO_DIGITS;
  const amount = dropped > 0 ? dropDigits(digits, dropped) : appendZeros(digits, -dropped);
  return sign === "-" && amount !== 0 ? -amount : amount;
}

/** Drops the last digits and rounds half up. */
function dropDigits(digits: string, dropped: number): number {
  const kept = Math.max(0, digits.length - dropped);
  const first = dropped > digits.length ? "0" : (digits[kept] ?? "0");
  return Number(digits.slice(0, kept)) + (first >= "5" ? 1 : 0);
}

function appendZeros(digits: string, zeros: number): number {
  if (zeros <= ZEROS_MAX) return Number(digits + "0".repeat(zeros));
  return Number(digits) === 0 ? 0 : Infinity;
}

/** Formats nanodollars as exact US dollars in decimal digits, such as `0.000003750`. A float would not be exact. */
export function formatUsd(nanodollars: number | bigint): string {
  const digits = String(nanodollars)
    .replace("-", "")
    .padStart(NANO_DIGITS + 1, "0");
  return `${nanodollars < 0 ? "-" : ""}${digits.slice(0, -NANO_DIGITS)}.${digits.slice(-NANO_DIGITS)}`;
}

/** Converts nanodollars to a float of US dollars, as in OpenRouter's own responses. */
export function toUsd(nanodollars: number | bigint): number {
  return Number(nanodollars) / NANODOLLARS_PER_USD;
}

/** The largest amount of a setting in US dollars. A number represents every smaller amount in nanodollars exactly. */
export const USD_SETTING_MAX = 9_000_000;

/**
 * Parses an amount of a setting without rounding.
 * @param usd US dollars: a number, or decimal text such as `0.45`.
 * @returns whole nanodollars; undefined unless the amount is from 0 to {@link USD_SETTING_MAX} with at most 9 decimal places.
 */
export function parseUsdSetting(usd: number | string): number | undefined {
  const [, sign, , fraction = "", exponent = "0"] = DECIMAL.exec(String(usd)) ?? [];
  const decimals = fraction.replace(/0+$/, "").length - Number(exponent);
  if (sign !== "" || decimals > NANO_DIGITS) return undefined;
  const nanodollars = toNanodollars(usd);
  return nanodollars <= USD_SETTING_MAX * NANODOLLARS_PER_USD ? nanodollars : undefined;
}
