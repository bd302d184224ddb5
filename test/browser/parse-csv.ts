/** A field of RFC 4180, with the separator before it. */
const FIELD = /(^|,|\r\n)(?:"((?:[^"]|"")*)"|([^",\r\n]*))/gy;

/**
 * Parses a CSV file (RFC 4180) with a head. @returns its lines, by the names of the columns.
 * @throws Error if the file is not valid, or a line has another number of fields than the head.
 */
export function parseCsv(text: string): Record<string, string>[] {
  const body = text.replace(/\r\n$/, "");
  const lines: string[][] = [];
  let end = 0;
  for (const match of body.matchAll(FIELD)) {
    const [whole, separator, quoted, plain = ""] = match;
    if (separator !== ",") lines.push([]);
    lines.at(-1)?.push(quoted?.replaceAll('""', '"') ?? plain);
    end = match.index + whole.length;
  }
  if (end !== body.length) throw new Error(`no valid CSV at ${body.slice(end, end + 50)}`);
  const [head = [], ...rows] = lines;
  return rows.map((row) => {
    if (row.length !== head.length)
      throw new Error(`${row.length} fields instead of ${head.length}: ${row.join()}`);
    return Object.fromEntries(head.map((name, at) => [name, row[at] ?? ""]));
  });
}
