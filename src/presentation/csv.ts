/** The value of a CSV cell. Numbers are the gateway's own; texts may come from clients and from upstream. */
type CsvCell = string | number | bigint | boolean | null | undefined;

const PLAIN_NUMBER = /^-?\d+(?:\.\d+)?$/;
/** ASCII texts in which no cell can begin, such as ids, times and the names of most models: nearly all that is exported. */
const HARMLESS = /^[A-Za-z0-9_](?:[\w.:/@=+~ -]*[\w.:/@=+~-])?$/;
/** What importers split at, some of them within quotes too: lists, tables, lines. */
const SEPARATOR = /[,;\t\n\v\f\r\u0085\u2028\u2029|\u037e，；｜︐︔﹐﹔]/u;
/** What importers drop, or show as nothing, before they look for a formula: blanks, controls, invisible characters, quotes. */
const IGNORED = /[\s\p{C}\p{Z}\p{M}\p{Default_Ignorable_Code_Point}\u2800\p{Quotation_Mark}`´]/u;
/** What begins a formula, a command (`|`, DDE) or a macro, in every width; minus signs and dashes too, which some convert. */
const FORMULA = /[=+@|%\p{Pd}\u2212＝＋＠｜％﹦﹢﹫﹪⁺⁻⁼₊₋₌﬩⩵⩶]/u;
/** Dropped by some importers, so that the next character begins the cell. */
const BEGINS_WITH_CONTROL = /^[\p{Cc}\u2028\u2029]/u;
const NEEDS_QUOTES = /[",;\t\n\v\f\r\u0085\u2028\u2029|]|^\s|\s$/u;

/**
 * Formats one line of RFC 4180. A text that a spreadsheet could take for a formula gets an apostrophe at its beginning
 * and at every place inside it where an importer could begin a cell with a formula. Numbers stay numbers, also in text.
 */
export function formatCsvLine(cells: readonly CsvCell[]): string {
  return `${cells.map(formatCell).join(",")}\r\n`;
}

function formatCell(value: CsvCell): string {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  if (HARMLESS.test(value) || PLAIN_NUMBER.test(value)) return value;
  const text = escapeFormulas(value);
  return NEEDS_QUOTES.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Puts an apostrophe wherever a formula could begin. One pass, because texts may be long and hostile. */
function escapeFormulas(text: string): string {
  let safe = "";
  let begins = 0;
  let mayBegin = true;
  let at = 0;
  for (const character of text) {
    if (mayBegin && FORMULA.test(character)) {
      safe += `'${text.slice(begins, at)}`;
      begins = at;
      mayBegin = false;
    }
    at += character.length;
    if (SEPARATOR.test(character)) {
      safe += text.slice(begins, at);
      begins = at;
      mayBegin = true;
    } else if (mayBegin && !IGNORED.test(character)) {
      mayBegin = false;
    }
  }
  safe += text.slice(begins);
  const isChanged = safe.length > text.length;
  return !safe.startsWith("'") && (isChanged || BEGINS_WITH_CONTROL.test(text)) ? `'${safe}` : safe;
}
