const integer = new Intl.NumberFormat("en-US");
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 3 });
const percent = new Intl.NumberFormat("en-US", {
  style: "percent",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});

/** Shown for a value that does not exist. */
export const NO_VALUE = "–";

/** Formats a count in full, such as `12,345`. The API sends counts from 2^53 as text. */
export function formatCount(count: number | string | null | undefined): string {
  return count === null || count === undefined ? NO_VALUE : integer.format(BigInt(count));
}

/** Formats a count with at most three digits, such as `12.3K`. */
export function formatCompact(count: number | string | null | undefined): string {
  return count === null || count === undefined ? NO_VALUE : compact.format(Number(count));
}

/** Formats a part of a whole, such as `4.2%`; without a whole, there is no share. */
export function formatShare(part: number | string, whole: number | string): string {
  return Number(whole) === 0 ? NO_VALUE : percent.format(Number(part) / Number(whole));
}

/**
 * Formats an amount of US dollars for tables and charts: at least two decimals, and three significant digits below a cent.
 * @param usd exact decimal digits, as the API sends them, or a number.
 */
export function formatUsd(usd: string | number | null | undefined): string {
  if (usd === null || usd === undefined) return NO_VALUE;
  const amount = Number(usd);
  const isSmall = amount !== 0 && Math.abs(amount) < 0.1;
  return new Intl.NumberFormat("en-US", {
    style: "currency",
    currency: "USD",
    minimumFractionDigits: amount === 0 || Math.abs(amount) >= 10_000 ? 0 : 2,
    ...(isSmall
      ? { maximumSignificantDigits: 3, minimumSignificantDigits: 1 }
      : { maximumFractionDigits: 2 }),
  }).format(amount);
}

/** Formats all digits of an amount, such as `$0.000123456`. @param usd exact decimal digits. */
export function formatExactUsd(usd: string | null | undefined): string {
  return usd === null || usd === undefined ? NO_VALUE : usd.replace(/^(-?)/, "$1$");
}

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** Formats a size with decimal units, such as `1.2 MB`. */
export function formatBytes(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined) return NO_VALUE;
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), UNITS.length - 1);
  const value = bytes / 1_000 ** power;
  return `${power === 0 ? value : value.toPrecision(3)} ${UNITS[power]}`;
}
