/**
 * Formats rows as a table for people: columns as wide as their cells, numbers to the right.
 * @param noun what the rows are, for a table that has none.
 */
export function tableOf(rows: readonly Readonly<Record<string, unknown>>[], noun: string): string {
  const [first] = rows;
  if (!first) return `(no ${noun})\n`;
  const columns = Object.keys(first);
  const cells = [columns, ...rows.map((row) => columns.map((column) => textOf(row[column], column)))];
  const widths = columns.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)));
  const isNumber = columns.map((column) => typeof first[column] === "number");
  const lines = cells.map((line) =>
    line.map((cell, column) =>
      isNumber[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
    ),
  );
  return lines.map((line) => `${line.join("  ").trimEnd()}\n`).join("");
}

function textOf(value: unknown, column: string): string {
  if (value === null || value === undefined) return "-";
  // An empty cell would look like a fault of the table.
  if (value === "") return `(no ${column.replace("_", " ")})`;
  if (Array.isArray(value)) return value.join(",");
  return typeof value === "string" ? value : JSON.stringify(value);
}
