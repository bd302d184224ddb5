/** The value of a CSV cell. Numbers come from the gateway; texts may come from clients and from upstream. */
type CsvCell = string | number | bigint | boolean | null | undefined;

const PLAIN_NUMBER = /^-?\d+(?:\.\d+)?$/;
/** ASCII texts that need no escaping, such as ids, times and most model ids. Most exported cells match. */
const HARMLESS = /^[A-Za-z0-9_](?:[\w.:/@=+~ -]*[\w.:/@=+~-])?$/;
/** Characters at which importers split a text into cells or lines; some importers split even inside quotes. */
const SEPARATOR = /[,;\t\n\v\f\r\u0085\u2028\u2029|]/u;
/** Characters that importers ignore before a formula: white space, control characters, invisible characters, quotes. */
const IGNORED = /^[\s\p{C}\p{Z}\p{M}\p{Default_Ignorable_Code_Point}\u2800\p{Quotation_Mark}`´]+$/u;
/** First characters of formulas, commands (`|`, DDE) and macros, and dashes, which importers may convert. */
const FORMULA = /[=+@|%\p{Pd}\u2212]/u;
/** Control characters at the beginning of a cell. Some importers drop them, so that the next character begins the cell. */
const BEGINS_WITH_CONTROL = /^[\p{Cc}\u2028\u2029]/u;
const NEEDS_QUOTES = /[",;\t\n\v\f\r\u0085\u2028\u2029|]|^\s|\s$/u;

/**
 * Formats one line of CSV (RFC 4180). If a spreadsheet could interpret a text as a formula, an apostrophe is inserted at its
 * beginning and wherever an importer could begin a cell with a formula. Texts that are plain numbers are not escaped.
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

/** Inserts an apostrophe wherever a formula could begin. Runs in one pass, because texts may be long and hostile. */
function escapeFormulas(text: string): string {
  let safe = "";
  let begins = 0;
  let mayBegin = true;
  let at = 0;
  for (const character of text) {
    const folded = foldCharacter(character);
    if (mayBegin && FORMULA.test(folded)) {
      safe += `'${text.slice(begins, at)}`;
      begins = at;
      mayBegin = false;
    }
    at += character.length;
    if (SEPARATOR.test(folded)) {
      safe += text.slice(begins, at);
      begins = at;
      mayBegin = true;
    } else if (mayBegin && !IGNORED.test(folded)) {
      mayBegin = false;
    }
  }
  safe += text.slice(begins);
  const isChanged = safe.length > text.length;
  return !safe.startsWith("'") && (isChanged || BEGINS_WITH_CONTROL.test(text)) ? `'${safe}` : safe;
}

/**
 * Converts a character to the characters that an importer may replace it by: wide and small forms to ASCII, accents without a
 * letter to a space and an accent, a digit with a comma to a digit and a comma.
 */
function foldCharacter(character: string): string {
  return character < "\u0080" ? character : character.normalize("NFKC");
}
