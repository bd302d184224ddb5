/** A constraint, a value of the wrong type, and one that is too long. */
const INVALID_ROW_SQLITE_CODES: ReadonlySet<number> = new Set([18, 19, 20]);
/** PostgreSQL's classes for rows that stand twice, values that are wrong, constraints, and its limits; Node's for values. */
const INVALID_ROW_CODES = /^(?:21|22|23|54)\w{3}$|^ERR_(?:INVALID_ARG|OUT_OF_RANGE)/;

/**
 * Whether a write failed for what its rows are, so that it would fail again. Everything else passes: a full disk, a lock,
 * a table that is not there yet, a replica that may only be read. There `select 1` is answered all the same.
 */
export function isInvalidRow(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  // The rest of its bits say more exactly why.
  if (typeof errcode === "number") return INVALID_ROW_SQLITE_CODES.has(errcode & 0xff);
  return typeof code === "string" && INVALID_ROW_CODES.test(code);
}

/** Busy with another process's write, read-only, failing to read or write, out of room, not to be opened. */
const UNAVAILABLE_SQLITE_CODES: ReadonlySet<unknown> = new Set([5, 8, 10, 13, 14]);
/** The network's own codes, and PostgreSQL's classes for connections, resources and shutdown. */
const UNAVAILABLE_CODES =
  /^(?:ECONN|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EPIPE|ETIMEDOUT|08|53|57P0)/;
/** What the client says without a code. */
const UNAVAILABLE_MESSAGES =
  /^(?:Connection terminated|timeout exceeded when trying to connect|Client has encountered)/;

/** Whether an error says that the database cannot be asked now, so that it may be asked again, rather than that the question was wrong. */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  // The rest of its bits say more exactly why.
  if (typeof errcode === "number") return UNAVAILABLE_SQLITE_CODES.has(errcode & 0xff);
  return typeof code === "string" ? UNAVAILABLE_CODES.test(code) : UNAVAILABLE_MESSAGES.test(error.message);
}
