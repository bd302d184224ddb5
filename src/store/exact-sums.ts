import { type Expression, type RawBuilder, sql } from "kysely";

// A sum is read in two parts, because it may exceed the safe integers of JavaScript. It may even exceed 64 bits, and then
// SQLite throws an error.

const BILLION = 1_000_000_000;

/**
 * Selects the exact sum of a column of whole numbers, of any size, as text in two parts.
 * @param column a column or an expression; null counts as 0.
 */
export function selectSumParts(column: Expression<unknown>): {
  billions: RawBuilder<string | null>;
  rest: RawBuilder<string | null>;
} {
  // SQLite converts a column to a float when its value exceeds 64 bits.
  const whole = sql`cast(${column} as bigint)`;
  const billion = sql.lit(BILLION);
  return {
    billions: sql`cast(sum(${whole} / ${billion}) as text)`,
    rest: sql`cast(sum(${whole} % ${billion}) as text)`,
  };
}

/** Joins the two parts of a sum. @returns 0 if both parts are null, because there were no rows. */
export function joinSumParts(billions: string | null, rest: string | null): bigint {
  return BigInt(billions ?? 0) * BigInt(BILLION) + BigInt(rest ?? 0);
}
