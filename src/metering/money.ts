/** 1e-9 USD: the unit of the ledger. A number holds every sum up to 9 million dollars exactly. */
const NANODOLLARS_PER_USD = 1e9;
const NANO_DIGITS = 9;
const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,9}))?$/;
/** A safe integer has at most 16 digits: an amount with more zeros than this behind its digits is beyond all money. */
const ZEROS_MAX = 30;

/**
 * Converts US dollars as OpenRouter states them to whole nanodollars, exactly: from decimal digits, because a product of
 * floats rounds once more (1.0000000005 * 1e9 is below its half).
 * @param usd a float, which is taken by its shortest decimal digits, or decimal text such as `0.00006` or `1e-7`.
 * @returns whole nanodollars, half of one rounded away from zero; NaN or infinite if `usd` is, and NaN for any other text.
 */
export function toNanodollars(usd: number | string): number {
  const [, sign, whole = "", fraction = "", exponent = "0"] = DECIMAL.exec(String(usd)) ?? [];
  // Of floats only NaN and the infinities have other texts.
  if (sign === undefined) return typeof usd === "number" ? usd : Number.NaN;
  const digits = whole + fraction;
  const dropped = fraction.length - Number(exponent) - NANO_DIGITS;
  const amount = dropped > 0 ? dropDigits(digits, dropped) : appendZeros(digits, -dropped);
  return sign === "-" && amount !== 0 ? -amount : amount;
}

/** Rounds half up. */
function dropDigits(digits: string, dropped: number): number {
  const kept = Math.max(0, digits.length - dropped);
  const first = dropped > digits.length ? "0" : (digits[kept] ?? "0");
  return Number(digits.slice(0, kept)) + (first >= "5" ? 1 : 0);
}

function appendZeros(digits: string, zeros: number): number {
  if (zeros <= ZEROS_MAX) return Number(digits + "0".repeat(zeros));
  return Number(digits) === 0 ? 0 : Infinity;
}

/** Formats nanodollars as US dollars in decimal digits, exact, as `0.000003750`: a float would mislead people and machines. */
export function formatUsd(nanodollars: number | bigint): string {
  const digits = String(nanodollars)
    .replace("-", "")
    .padStart(NANO_DIGITS + 1, "0");
  return `${nanodollars < 0 ? "-" : ""}${digits.slice(0, -NANO_DIGITS)}.${digits.slice(-NANO_DIGITS)}`;
}

/** Nanodollars as the float of US dollars that OpenRouter's own answers have. */
export function toUsd(nanodollars: number | bigint): number {
  return Number(nanodollars) / NANODOLLARS_PER_USD;
}
