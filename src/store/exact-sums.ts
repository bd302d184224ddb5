import { type Expression, type RawBuilder, sql } from "kysely";

// A sum is read in two parts, because it may exceed the safe integers of JavaScript. It may even exceed 64 bits, and then
// SQLite throws an error.

const BILLION = 1_000_000_000;

/** The parts of a sum, as text. */
interface SumParts {
  readonly billions: RawBuilder<string | null>;
  readonly rest: RawBuilder<string | null>;
}

/**
 * Selects the exact sum of a column of whole numbers, of any size, as text in two parts.
 * @param column a column or an expression; null counts as 0.
 */
export function selectSumParts(column: Expression<unknown>): SumParts {
  const { billions, rest } = selectIntegerParts(column);
  return { billions: sql`cast(${billions} as text)`, rest: sql`cast(${rest} as text)` };
}

/** Selects the sum of {@link selectSumParts} over all groups of a query, in each of its rows. */
export function selectTotalParts(column: Expression<unknown>): SumParts {
  const { billions, rest } = selectIntegerParts(column);
  return {
    billions: sql`cast(sum(${billions}) over () as text)`,
    rest: sql`cast(sum(${rest}) over () as text)`,
  };
}

/** Selects the same parts as whole numbers, so that an outer query can add them up. */
export function selectIntegerParts(column: Expression<unknown>): {
  billions: RawBuilder<unknown>;
  rest: RawBuilder<unknown>;
} {
  // SQLite converts a column to a float when its value exceeds 64 bits.
  const whole = sql`cast(${column} as bigint)`;
  const billion = sql.lit(BILLION);
  return { billions: sql`sum(${whole} / ${billion})`, rest: sql`sum(${whole} % ${billion})` };
}

/** Joins the two parts of a sum. @returns 0 if both parts are null, because there were no rows. */
export function joinSumParts(billions: string | null, rest: string | null): bigint {
  return BigInt(billions ?? 0) * BigInt(BILLION) + BigInt(rest ?? 0);
}
