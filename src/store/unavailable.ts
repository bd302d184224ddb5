/** Busy with another process's write, read-only, failing to read or write, out of room, not to be opened. */
const SQLITE_CODES: ReadonlySet<unknown> = new Set([5, 8, 10, 13, 14]);
/** The network's own codes, and PostgreSQL's classes for connections, resources and shutdown. */
const CODES = /^(?:ECONN|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EPIPE|ETIMEDOUT|08|53|57P0)/;
/** What the client says without a code. */
const MESSAGES = /^(?:Connection terminated|timeout exceeded when trying to connect|Client has encountered)/;

/** Whether an error says that the database cannot be asked now, so that it may be asked again, rather than that the question was wrong. */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  // The rest of its bits say more exactly why.
  if (typeof errcode === "number") return SQLITE_CODES.has(errcode & 0xff);
  return typeof code === "string" ? CODES.test(code) : MESSAGES.test(error.message);
}
