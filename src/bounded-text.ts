/** How long texts of clients and of upstream may be in the ledger. */
const COLUMN_MAX_CHARS = 128;

/** Cuts a text to `maxChars` UTF-16 code units, with an ellipsis behind what was cut. */
export function truncate(text: string, maxChars: number): string {
  return text.length <= maxChars ? text : `${text.slice(0, maxChars)}…`;
}

/** Truncates a text of a client for an error message, in printable ASCII: any other code unit becomes a question mark. */
export function toMessageText(text: string, maxChars: number): string {
  // One code unit more than is shown, so that `truncate` sees whether there are more.
  return truncate(text.slice(0, maxChars + 1).replaceAll(/[^\x20-\x7e]/g, "?"), maxChars);
}

/**
 * Truncates a text for a column that both databases take: PostgreSQL refuses a NUL and half a surrogate pair, and with it
 * every row of the same batch.
 */
export function toColumnText(text: string): string {
  return text.slice(0, COLUMN_MAX_CHARS).replaceAll("\0", "").toWellFormed();
}
