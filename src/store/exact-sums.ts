import { type Expression, type RawBuilder, sql } from "kysely";

// A sum may be larger than a number holds exactly, or than 64 bits hold, at which SQLite fails: so it is read in two parts.

const BILLION = 1_000_000_000;

/**
 * Selects the sum of a column of whole numbers, whatever it comes to, as text.
 * @param column or an expression; null counts as 0.
 */
export function selectSumParts(column: Expression<unknown>): {
  billions: RawBuilder<string | null>;
  rest: RawBuilder<string | null>;
} {
  // SQLite makes a float of a column that has run over.
  const whole = sql`cast(${column} as bigint)`;
  const billion = sql.lit(BILLION);
  return {
    billions: sql`cast(sum(${whole} / ${billion}) as text)`,
    rest: sql`cast(sum(${whole} % ${billion}) as text)`,
  };
}

/** Puts the two parts of a sum together. @returns 0 if there was nothing to sum. */
export function joinSumParts(billions: string | null, rest: string | null): bigint {
  return BigInt(billions ?? 0) * BigInt(BILLION) + BigInt(rest ?? 0);
}
