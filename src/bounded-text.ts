/** Maximum length in the ledger of a text that a client or upstream has sent. */
const COLUMN_MAX_CHARS = 128;

/** Truncates a text to `maxChars` UTF-16 code units, and appends an ellipsis if the text was longer. */
export function truncate(text: string, maxChars: number): string {
  return text.length <= maxChars ? text : `${text.slice(0, maxChars)}…`;
}

/** Truncates a text from a client for an error message, and replaces each code unit that is not printable ASCII by `?`. */
export function toMessageText(text: string, maxChars: number): string {
  // Keeps one code unit more than the limit, so that `truncate` sees that the text was longer.
  return truncate(text.slice(0, maxChars + 1).replaceAll(/[^\x20-\x7e]/g, "?"), maxChars);
}

/**
 * Truncates a text to the length of a column, and makes it valid for both databases. PostgreSQL rejects a NUL or a lone
 * surrogate, and with it every row of the same batch.
 */
export function toColumnText(text: string): string {
  return text.slice(0, COLUMN_MAX_CHARS).replaceAll("\0", "").toWellFormed();
}
