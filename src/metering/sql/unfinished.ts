import { sql } from "kysely";

/**
 * Rows of the ledger that are not final. SQLite uses the index of these rows, instead of reading the whole ledger, only
 * for a statement that repeats that index's own condition; a narrower one, or bound values, will not do.
 */
export const IS_UNFINISHED = sql<boolean>`requests.state in ('open', 'pending')`;
