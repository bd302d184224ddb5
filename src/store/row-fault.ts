/** A constraint, a value of the wrong type, and one that is too long. */
const SQLITE_CODES: ReadonlySet<number> = new Set([18, 19, 20]);
/** PostgreSQL's classes for rows that stand twice, values that are wrong, constraints, and its limits; Node's for values. */
const CODES = /^(?:21|22|23|54)\w{3}$|^ERR_(?:INVALID_ARG|OUT_OF_RANGE)/;

/**
 * Whether a write failed for what its rows are, so that it would fail again. Everything else passes: a full disk, a lock,
 * a table that is not there yet, a replica that may only be read. There `select 1` is answered all the same.
 */
export function isRowFault(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  // The rest of its bits say more exactly why.
  if (typeof errcode === "number") return SQLITE_CODES.has(errcode & 0xff);
  return typeof code === "string" && CODES.test(code);
}
