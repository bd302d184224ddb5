/** SQLITE_TOOBIG, SQLITE_CONSTRAINT and SQLITE_MISMATCH. */
const INVALID_ROW_SQLITE_CODES: ReadonlySet<number> = new Set([18, 19, 20]);
/** PostgreSQL's classes for cardinality, data, constraint and limit errors, and Node's codes for invalid arguments. */
const INVALID_ROW_CODES = /^(?:21|22|23|54)\w{3}$|^ERR_(?:INVALID_ARG|OUT_OF_RANGE)/;

/**
 * Whether a write failed because of its rows. If so, a retry would fail too. All other causes are temporary, even if
 * `select 1` succeeds: a full disk, a lock, a table that does not exist yet, a read-only replica.
 */
export function isInvalidRow(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  // The lowest byte is the primary result code.
  if (typeof errcode === "number") return INVALID_ROW_SQLITE_CODES.has(errcode & 0xff);
  return typeof code === "string" && INVALID_ROW_CODES.test(code);
}

/** SQLITE_BUSY, SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL and SQLITE_CANTOPEN. */
const UNAVAILABLE_SQLITE_CODES: ReadonlySet<unknown> = new Set([5, 8, 10, 13, 14]);
/** Network error codes, and PostgreSQL's classes for connections, resources and shutdown. */
const UNAVAILABLE_CODES =
  /^(?:ECONN|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EPIPE|ETIMEDOUT|08|53|57P0)/;
/** Messages of errors that the PostgreSQL client throws without a code. */
const UNAVAILABLE_MESSAGES =
  /^(?:Connection terminated|timeout exceeded when trying to connect|Client has encountered)/;

/** Whether an error means that the database is unavailable. A retry may then succeed, unlike after an error in a statement. */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  // The lowest byte is the primary result code.
  if (typeof errcode === "number") return UNAVAILABLE_SQLITE_CODES.has(errcode & 0xff);
  return typeof code === "string" ? UNAVAILABLE_CODES.test(code) : UNAVAILABLE_MESSAGES.test(error.message);
}

/** SQLITE_BUSY. */
const BUSY_SQLITE_CODE = 5;
/** PostgreSQL's codes for a failed serialization and for a deadlock. */
const BUSY_CODES: ReadonlySet<unknown> = new Set(["40001", "40P01"]);

/** Whether a transaction failed only because others held its locks. Nothing was committed, and a retry can succeed soon. */
export function isBusy(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  return typeof errcode === "number" ? (errcode & 0xff) === BUSY_SQLITE_CODE : BUSY_CODES.has(code);
}
